// base/lists.h: small things with lists.
#pragma once

#include <algorithm>
#include <vector>

namespace herald {

template <typename List>
bool contains(const List& list, const typename List::value_type& item) {
  return std::find(list.begin(), list.end(), item) != list.end();
}

template <typename T>
void sort_unique(std::vector<T>& list) {
  std::sort(list.begin(), list.end());
  list.erase(std::unique(list.begin(), list.end()), list.end());
}

}  // namespace herald
