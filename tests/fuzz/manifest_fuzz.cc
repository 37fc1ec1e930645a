// Arbitrary text as manifests: nothing may crash, a good file read before must survive a bad one,
// what was read can be planned, and printed natively it says what it said. The seeds and the words
// beside this file have every kind of every dialect.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "config/convert.h"
#include "config/manifests.h"
#include "daemon/plan.h"
#include "daemon/plan_wire.h"

namespace {

using herald::Desired;
using herald::config::convert;
using herald::config::ManifestForm;
using herald::config::Manifests;

Desired read(std::string_view text) {
  Manifests manifests;
  manifests.set_file("a.yaml", text);
  return manifests.desired();
}

bool has_error(const Desired& desired) {
  return std::any_of(desired.problems.begin(), desired.problems.end(),
                     [](const auto& p) { return p.severity == herald::Severity::Error; });
}

// Without where things stood, what was said about them, and how many they were: MetalLB's
// communities are part of an advertisement afterwards.
Desired bare(Desired out) {
  const auto strip = [](auto& objects) {
    for (std::size_t i = 0; i < objects.size(); ++i) objects[i].source = {};
  };
  strip(out.services);
  strip(out.pools);
  strip(out.l2_policies);
  strip(out.peers);
  strip(out.advertisements);
  strip(out.nodes);
  strip(out.bfd_profiles);
  strip(out.secrets);
  strip(out.unmanaged);
  out.problems.clear();
  out.findings.clear();  // each dialect has its own
  out.objects_read = 0;
  return out;
}

[[noreturn]] void fail(const char* what, std::string_view before, const std::string& after) {
  std::fprintf(stderr, "%s\n--- read:\n%.*s\n--- printed:\n%s\n", what,
               static_cast<int>(before.size()), before.data(), after.c_str());
  std::abort();
}

void check_plan(Desired desired) {
  const herald::daemon::Policies wanted(std::make_shared<const Desired>(std::move(desired)));
  (void)herald::daemon::plan_wire(wanted, herald::daemon::plan_offline(wanted));
}

void check_print(std::string_view text, const Desired& desired, ManifestForm form) {
  const std::string printed = convert(desired, {text}, form);
  if (has_error(desired)) return;
  const Desired again = read(printed);
  for (const auto& problem : again.problems) {
    if (problem.severity == herald::Severity::Error) {
      fail(to_string(problem).c_str(), text, printed);
    }
  }
  if (bare(again) != bare(desired)) fail("what is printed means something else", text, printed);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  Manifests manifests;
  manifests.set_file("a.yaml", text);
  manifests.set_file("a.yaml", text.substr(0, size / 2));
  manifests.apply_file("b.yaml", text);
  (void)manifests.desired();
  const Desired desired = read(text);
  check_print(text, desired, size % 2 == 0 ? ManifestForm::Yaml : ManifestForm::Json);
  check_plan(desired);
  return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t max_size);

// Octets changed at random are seldom YAML, so every other time a line is copied to another place,
// over the one there or before it, or left out.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size,
                                               std::size_t max_size, unsigned seed) {
  std::minstd_rand random(seed);
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  std::vector<std::string_view> lines;
  for (std::size_t from = 0; from < size;) {
    const std::size_t end = std::min(text.find('\n', from), size - 1) + 1;
    lines.push_back(text.substr(from, end - from));
    from = end;
  }
  if (lines.size() < 2 || random() % 2 == 0) return LLVMFuzzerMutate(data, size, max_size);
  const auto any = [&] { return static_cast<std::ptrdiff_t>(random() % lines.size()); };
  const std::ptrdiff_t to = any();
  const std::string_view from = lines[static_cast<std::size_t>(any())];
  switch (random() % 3) {
    case 0:
      lines.erase(lines.begin() + to);
      break;
    case 1:
      lines.insert(lines.begin() + to, from);
      break;
    default:
      lines[static_cast<std::size_t>(to)] = from;
  }
  std::string out;
  for (const std::string_view line : lines) out += line;
  out.resize(std::min(out.size(), max_size));
  std::memcpy(data, out.data(), out.size());
  return out.size();
}
