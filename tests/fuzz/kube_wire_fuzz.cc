// Lists, watch lines and Status bodies on every input; slices lie within the text, and a reflector
// that is told it all stays whole.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "kube/reflector.h"
#include "kube/resources.h"
#include "kube/wire.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace herald;
  using namespace herald::kube;
  const std::string text(data, data + size);
  const auto within = [&](std::string_view slice) {
    return slice.data() >= text.data() && slice.data() + slice.size() <= text.data() + text.size();
  };
  if (const auto page = parse_page(text)) {
    for (const std::string_view item : page->items) {
      HERALD_CHECK(within(item));
      parse_metadata(item);
    }
  }
  if (const auto line = parse_watch_line(text)) {
    HERALD_CHECK(within(line->object));
    parse_metadata(line->object);
    parse_status(line->object);
  }
  if (const auto status = parse_status(text)) HERALD_CHECK(status->message.size() < 1000);

  // The first octet says what the text is; a list is in before it is read as a line.
  Reflector reflector({.versions = source_kinds().front().versions}, Rng(1));
  Instant now{1s};
  reflector.start(now);
  std::size_t known = 0;
  for (int i = 0; i < 8; ++i) {
    for (const Ask& ask : reflector.take_asks()) {
      if (ask.kind == Ask::Kind::Cancel) continue;
      if (i == 0) {
        reflector.on_reply(ask.id, {.status = 400}, now);
      } else if (ask.kind == Ask::Kind::List && i % 2 == 1) {
        reflector.on_reply(ask.id, {.status = 200, .body = text}, now);
      } else if (ask.kind == Ask::Kind::List) {
        reflector.on_reply(
            ask.id, {.status = 200, .body = R"({"metadata":{"resourceVersion":"5"},"items":[]})"},
            now);
      } else {
        reflector.on_line(ask.id, text, now);
      }
    }
    for (const Change& change : reflector.take_changes()) {
      if (std::holds_alternative<Put>(change)) ++known;
      if (std::holds_alternative<Gone>(change)) HERALD_CHECK(known > 0);
    }
    now += 40s;
    reflector.tick(now);
  }
  HERALD_CHECK(reflector.size() <= known);
  return 0;
}
