// model/shared_list.h: a list whose objects are shared with other lists that have them, too.
//
// A cluster has thousands of services, and the whole picture is made anew for each one that
// changes: then a pointer is copied for each of the others, not the object. What is shared does not
// change: whoever asks for an object to change it is given a copy of its own.
#pragma once

#include <algorithm>
#include <compare>
#include <cstddef>
#include <initializer_list>
#include <iterator>
#include <memory>
#include <utility>
#include <vector>

namespace herald {

template <typename T>
class SharedList {
  using Pointers = std::vector<std::shared_ptr<const T>>;

 public:
  using value_type = T;

  class const_iterator {
   public:
    using iterator_category = std::random_access_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = const T*;
    using reference = const T&;
    const_iterator() = default;
    explicit const_iterator(typename Pointers::const_iterator at) : at_(at) {}
    reference operator*() const { return **at_; }
    pointer operator->() const { return at_->get(); }
    const std::shared_ptr<const T>& shared() const { return *at_; }
    reference operator[](difference_type n) const { return *at_[n]; }
    const_iterator& operator++() { return ++at_, *this; }
    const_iterator operator++(int) { return const_iterator(at_++); }
    const_iterator& operator--() { return --at_, *this; }
    const_iterator operator--(int) { return const_iterator(at_--); }
    const_iterator& operator+=(difference_type n) { return at_ += n, *this; }
    const_iterator& operator-=(difference_type n) { return at_ -= n, *this; }
    const_iterator operator+(difference_type n) const { return const_iterator(at_ + n); }
    const_iterator operator-(difference_type n) const { return const_iterator(at_ - n); }
    friend const_iterator operator+(difference_type n, const_iterator it) { return it + n; }
    difference_type operator-(const const_iterator& other) const { return at_ - other.at_; }
    auto operator<=>(const const_iterator&) const = default;

   private:
    friend class SharedList;
    typename Pointers::const_iterator at_;
  };
  using iterator = const_iterator;

  SharedList() = default;
  SharedList(std::initializer_list<T> objects) {
    for (const T& object : objects) push_back(object);
  }

  bool empty() const { return pointers_.empty(); }
  std::size_t size() const { return pointers_.size(); }
  const T& operator[](std::size_t i) const { return *pointers_[i]; }
  const T& at(std::size_t i) const { return *pointers_.at(i); }
  const T& front() const { return *pointers_.front(); }
  const T& back() const { return *pointers_.back(); }
  const_iterator begin() const { return const_iterator(pointers_.begin()); }
  const_iterator end() const { return const_iterator(pointers_.end()); }

  // To change it: no other list sees that.
  T& operator[](std::size_t i) { return own(pointers_[i]); }
  T& back() { return own(pointers_.back()); }

  void reserve(std::size_t n) { pointers_.reserve(n); }
  void push_back(T object) { pointers_.push_back(std::make_shared<T>(std::move(object))); }
  void push_back(std::shared_ptr<const T> object) { pointers_.push_back(std::move(object)); }
  T& emplace_back(T object) {
    push_back(std::move(object));
    return back();
  }
  void pop_back() { pointers_.pop_back(); }
  const_iterator insert(const_iterator at, std::shared_ptr<const T> object) {
    return const_iterator(pointers_.insert(at.at_, std::move(object)));
  }
  const_iterator erase(const_iterator at) { return const_iterator(pointers_.erase(at.at_)); }
  void clear() { pointers_.clear(); }

  template <typename Less>
  void sort(Less less) {
    const auto by_object = [&](const auto& a, const auto& b) { return less(*a, *b); };
    if (std::is_sorted(pointers_.begin(), pointers_.end(), by_object)) return;
    std::stable_sort(pointers_.begin(), pointers_.end(), by_object);
  }

  bool operator==(const SharedList& other) const {
    return std::equal(pointers_.begin(), pointers_.end(), other.pointers_.begin(),
                      other.pointers_.end(),
                      [](const auto& a, const auto& b) { return a == b || *a == *b; });
  }

 private:
  // Every object was made as one that may change (make_shared<T>), so nobody else having it is all
  // that it takes.
  static T& own(std::shared_ptr<const T>& object) {
    if (object.use_count() > 1) object = std::make_shared<T>(*object);
    return const_cast<T&>(*object);  // NOLINT
  }

  Pointers pointers_;
};

}  // namespace herald
