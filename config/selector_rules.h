// config/selector_rules.h: what Kubernetes and MetalLB demand of a label selector beyond its form.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/object_reader.h"
#include "model/labels.h"

namespace herald::config {

// The same for selectors that say the same in another order.
std::string canonical(const LabelSelector& selector);

// A key or value that no label can have; nothing if all are good.
std::optional<std::string> label_fault(const LabelSelector& selector);
// A value or expression that is given twice.
std::optional<std::string> double_fault(const LabelSelector& selector);

// A list of selectors, each checked; one that is given twice is an error too.
Selectors read_selector_list(MapReader& spec, const std::string& key);

// A list of names, of which none may be given twice.
std::vector<std::string> read_name_list(MapReader& spec, const std::string& key);

}  // namespace herald::config
