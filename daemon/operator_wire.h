// daemon/operator_wire.h: requests that change something, and their answers, as lines of JSON on
// the admin socket. Pure.
//
//   {"command":"drain","node":"n1","wait":true,"timeout_ms":10000}   also undrain, force-dead
//   {"command":"move","ip":"192.0.2.1","node":"n2"}
//   -> {"ok":true,"data":{"message":...,"node":...,"complete":...,"handed_over":[...],"kept":[...],
//       "warnings":[...]}} or {"ok":false,"error":"..."}
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "daemon/operator_request.h"

namespace herald::daemon {

// nullopt: the line is no such request (report.h answers it). The error is a sentence.
std::optional<Result<OperatorRequest>> parse_operator_request(std::string_view line);

// Without a line feed.
std::string to_line(const OperatorAnswer& answer);

}  // namespace herald::daemon
