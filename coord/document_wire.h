// coord/document_wire.h: a Document as the JSON text that every store backend keeps.
//
// Reading is strict, since what is read decides who may answer for an IP: a field that is missing
// or of a wrong kind, a document under another's key or a VIP in a shard not its own is refused as
// a whole. Fields it does not know are passed over: a newer version may have written them.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/result.h"
#include "coord/document.h"

namespace herald::coord {

// A shard of a million VIPs in all is a sixth of this.
inline constexpr std::size_t kMaxDocumentBytes = 64U << 20;

std::string print_document(const Document& document);

// The error names the field, and what it should be: "field 'guards[0].inc' is missing".
Result<Document> parse_document(const DocumentKey& key, std::string_view json);

}  // namespace herald::coord
