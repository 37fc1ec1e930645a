"""What commands the server: /__faults, /__stats, /__config, /__tokens, /__down, /__up, /__compact."""

from .resources import Refused


def faults(server, request):
    if request.method == "POST":
        try:
            return {"id": server.faults.add(request.json())}
        except ValueError as error:
            raise Refused(400, "BadRequest", str(error)) from None
    if request.method == "DELETE":
        server.faults.clear(request.number("id"))
        server.store.wake()
    return {"faults": list(server.faults.list)}


def stats(server, request):
    with server.lock:
        said = {"requests": [{"verb": v, "resource": r, "agent": a, "count": n}
                             for (v, r, a), n in sorted(server.counts.items())],
                "connections": server.opened, "open": sum(not c.trusted for c in server.connections),
                "watches": {k: n for k, n in sorted(server.watches.items()) if n},
                "resourceVersion": server.store.rv}
        if request.method == "DELETE":
            server.counts.clear()
            server.opened = 0
    return said


def config(server, request):
    if request.method in ("POST", "PUT"):
        given = request.json()
        for name, value in given.items():
            if name not in server.settings or not isinstance(value, (int, float)):
                raise Refused(400, "BadRequest", f"there is no setting '{name}' of that kind, but "
                              f"{', '.join(server.settings)}")
        server.settings.update(given)
        server.store.wake()
    return dict(server.settings)


def tokens(server, request):
    """Adds tokens, or sets what they are: {TOKEN: {"user", "rules", "expired"}}; null takes one away."""
    for token, user in request.json().items():
        if user is None:
            server.access.tokens.pop(token, None)
        else:
            server.access.tokens[token] = user
    return {"tokens": len(server.access.tokens)}


def down(server, request):
    server.down()
    return {}


def up(server, request):
    server.up()
    return {}


def compact(server, request):
    server.store.compact()
    return {"resourceVersion": server.store.rv}


COMMANDS = {"/__faults": faults, "/__stats": stats, "/__config": config, "/__tokens": tokens,
            "/__down": down, "/__up": up, "/__compact": compact}


def handle(server, request):
    command = COMMANDS.get(request.path)
    if command is None:
        raise Refused(404, "NotFound", f"there is no {request.path}, but {', '.join(COMMANDS)}")
    return command(server, request)
