// Arbitrary text as a manifest: nothing may crash, and a good file read before must survive a bad
// one.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "config/manifests.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  herald::config::Manifests manifests;
  manifests.set_file("a.yaml", text);
  manifests.set_file("a.yaml", text.substr(0, size / 2));
  manifests.set_file("b.yaml", text);
  (void)manifests.desired();
  return 0;
}
