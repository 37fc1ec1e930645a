"""deploy/crds by themselves: made by their generator, structural, told in full by kubectl explain.

That they agree with the reader of manifests is for tests/config/crds_test.cc to say.
"""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import yaml

ROOT = pathlib.Path(__file__).resolve().parents[2]
CRDS = ROOT / "deploy" / "crds"


def files(folder):
    return {p.name: p.read_text() for p in folder.glob("*.yaml") if p.stem != "kustomization"}


def walk(schema, path):
    """Each schema below this one, with what it is called."""
    yield path, schema
    for name, inner in schema.get("properties", {}).items():
        yield from walk(inner, f"{path}.{name}")
    if "items" in schema:
        yield from walk(schema["items"], f"{path}[]")
    if isinstance(schema.get("additionalProperties"), dict):
        yield from walk(schema["additionalProperties"], f"{path}{{}}")


def paths(value, schema, path):
    """What of a schema an object has, by the names of walk()."""
    yield path
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in schema.get("properties", {}):
                yield from paths(inner, schema["properties"][name], f"{path}.{name}")
            else:
                yield f"{path}{{}}"
    elif isinstance(value, list):
        for inner in value:
            yield from paths(inner, schema["items"], f"{path}[]")


class CrdsTest(unittest.TestCase):
    def setUp(self):
        self.crds = {name: yaml.safe_load(text) for name, text in files(CRDS).items()}

    def schemas(self):
        for crd in self.crds.values():
            for version in crd["spec"]["versions"]:
                root = version["schema"]["openAPIV3Schema"]
                for path, schema in walk(root, crd["spec"]["names"]["kind"]):
                    yield path, schema

    def test_are_what_the_generator_makes(self):
        with tempfile.TemporaryDirectory() as out:
            subprocess.run([sys.executable, "-B", CRDS / "generate.py", out], check=True)
            self.assertEqual(files(CRDS), files(pathlib.Path(out)), "run deploy/crds/generate.py")

    def test_are_all_in_the_kustomization(self):
        listed = yaml.safe_load((CRDS / "kustomization.yaml").read_text())["resources"]
        self.assertEqual(sorted(listed), sorted(self.crds))

    def test_are_structural(self):
        for path, schema in self.schemas():
            either = schema.get("x-kubernetes-int-or-string", False)
            self.assertEqual("type" in schema, not either, path)
            self.assertNotIn("x-kubernetes-preserve-unknown-fields", schema)
            # A default would be frozen into every object; heraldd has its own.
            self.assertNotIn("default", schema)
            if schema.get("type") == "object" and path.count(".") > 0 and path[-9:] != ".metadata":
                self.assertTrue("properties" in schema or "additionalProperties" in schema, path)

    def test_are_bounded(self):
        """What a user may write: the server reckons the cost of a rule from the bounds."""
        for path, schema in self.schemas():
            if ".spec" not in path:
                continue
            kind = schema.get("type")
            if kind == "array":
                self.assertIn("maxItems", schema)
            if kind == "string" and "enum" not in schema:
                self.assertIn("maxLength", schema)
            if "additionalProperties" in schema:
                self.assertIn("maxProperties", schema)

    def test_describe_every_field(self):
        for path, schema in self.schemas():
            last = path.rsplit(".", 1)[-1]
            if last in ("apiVersion", "kind", "metadata") or path[-1] in "]}":
                continue
            self.assertIn("description", schema, path)
            self.assertRegex(schema["description"], r"\.$", path)

    def test_the_good_objects_have_every_field(self):
        """So that what they prove, they prove of all."""
        text = (ROOT / "tests/deploy/objects/good.yaml").read_text()
        good = list(yaml.safe_load_all(text))
        for crd in self.crds.values():
            kind = crd["spec"]["names"]["kind"]
            if kind in ("IPTableShard", "NodeStatus"):
                continue
            (version,) = crd["spec"]["versions"]
            spec = version["schema"]["openAPIV3Schema"]["properties"]["spec"]
            missing = {path for path, _ in walk(spec, "")} - {
                path
                for made in good
                if made["kind"] == kind
                for path in paths(made.get("spec", {}), spec, "")
            }
            # All selectors are one schema: any of them may show its fields.
            missing = {p for p in missing if "elector" not in p}
            self.assertEqual(missing, set(), kind)

    def test_names_are_ours_alone(self):
        seen = set()
        for crd in self.crds.values():
            names, spec = crd["spec"]["names"], crd["spec"]
            self.assertEqual(crd["metadata"]["name"], f"{names['plural']}.herald.io")
            self.assertEqual(spec["group"], "herald.io")
            for word in [names["plural"], names["singular"], *names["shortNames"]]:
                self.assertNotIn(word, seen)
                seen.add(word)
        # Those of Cilium, of the same things.
        taken = {"ippools", "ippool", "lbippool", "lbippools", "l2announcement"}
        self.assertFalse(seen & taken)


if __name__ == "__main__":
    unittest.main()
