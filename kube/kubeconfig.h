// kube/kubeconfig.h: a kubeconfig, as kubectl reads it, made into an Access.
//
// What a daemon cannot do is refused, with what to do instead: run a program for credentials, go
// through a proxy, trust a server without proof. Pure; the files it names are not read here.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "kube/access.h"

namespace herald::kube {

// `path` is where `text` was read from: it stands in messages, and relative paths in the text begin
// at its folder. `context`: empty: the current one. The error names path, line, object and field.
Result<Access> parse_kubeconfig(std::string_view text, const std::string& path,
                                const std::string& context = "");

}  // namespace herald::kube
