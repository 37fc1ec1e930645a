// model/short_list.h: a list of small plain values of which there are mostly none, one or two: 16
// octets, and what fits into 8 of them needs no place elsewhere.
//
// A service has one or two families and ports, and at most an IP of each family; a std::vector of
// each would take 24 octets and another 32 on the heap.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/check.h"

namespace herald {

template <typename T>
class ShortList {
  static_assert(std::is_trivially_copyable_v<T> && std::is_trivially_destructible_v<T>);

 public:
  using value_type = T;
  using iterator = T*;
  using const_iterator = const T*;

  ShortList() = default;
  ShortList(std::initializer_list<T> values) { assign(values.begin(), values.size()); }
  ShortList(const std::vector<T>& values) {  // NOLINT: the same in little space
    assign(values.data(), values.size());
  }
  ShortList(const ShortList& other) { assign(other.data(), other.size()); }
  ShortList(ShortList&& other) noexcept { swap(other); }
  ShortList& operator=(ShortList other) noexcept {
    swap(other);
    return *this;
  }
  ~ShortList() {
    if (is_outside()) delete[] outside();
  }

  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }
  const T* data() const { return inside() ? reinterpret_cast<const T*>(place_) : outside(); }
  T* data() { return inside() ? reinterpret_cast<T*>(place_) : outside(); }
  const T* begin() const { return data(); }
  const T* end() const { return data() + size_; }
  T* begin() { return data(); }
  T* end() { return data() + size_; }
  const T& operator[](std::size_t i) const {
    HERALD_CHECK(i < size_);
    return data()[i];
  }
  const T& front() const { return (*this)[0]; }
  const T& back() const { return (*this)[size_ - std::size_t{1}]; }

  void push_back(const T& value) {
    const T kept = value;  // it may be one of these
    if (size_ == room_) make_room(std::max<std::size_t>(1, size_ * std::size_t{2}));
    data()[size_++] = kept;
  }
  void pop_back() { truncate(size_ - std::size_t{1}); }
  void truncate(std::size_t size) {
    HERALD_CHECK(size <= size_);
    size_ = static_cast<std::uint32_t>(size);
  }
  void clear() { *this = {}; }

  bool operator==(const ShortList& other) const {
    return std::equal(begin(), end(), other.begin(), other.end());
  }

 private:
  static constexpr std::size_t kPlace = sizeof(void*);
  // NOLINTNEXTLINE(bugprone-sizeof-expression): of T itself, also where that is a pointer
  static constexpr std::uint32_t kInside = alignof(T) <= kPlace ? kPlace / sizeof(T) : 0;

  bool inside() const { return kInside > 0 && room_ == kInside; }
  bool is_outside() const { return room_ > kInside; }
  T* outside() const {  // null: there is nothing yet
    T* out = nullptr;
    std::memcpy(&out, place_, kPlace);
    return out;
  }

  void make_room(std::size_t room) {
    if (room <= room_) return;
    T* const fresh = new T[room];
    std::copy(begin(), end(), fresh);
    if (is_outside()) delete[] outside();
    std::memcpy(place_, &fresh, kPlace);
    room_ = static_cast<std::uint32_t>(room);
  }
  void assign(const T* values, std::size_t count) {
    make_room(count);
    std::copy_n(values, count, data());
    size_ = static_cast<std::uint32_t>(count);
  }
  void swap(ShortList& other) noexcept {
    std::swap(size_, other.size_);
    std::swap(room_, other.room_);
    std::swap(place_, other.place_);
  }

  std::uint32_t size_ = 0, room_ = kInside;
  alignas(T*) std::byte place_[kPlace] = {};  // values, or where they are
};

}  // namespace herald
