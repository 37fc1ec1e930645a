// tests/coord/store_client.h: a store whose answers can be waited for.
#pragma once

#include <gmock/gmock.h>

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "coord/store_io.h"

namespace herald::coord {

inline constexpr auto kPatience = 20s;  // for a condition that comes within milliseconds

class StoreClient {
 public:
  using Open = std::function<std::unique_ptr<Store>(StoreCallbacks)>;

  explicit StoreClient(const Open& open) {
    StoreCallbacks callbacks;
    callbacks.reply = [this](std::uint64_t id, StoreReply reply) {
      note([&] {
        EXPECT_TRUE(replies_.emplace(id, std::move(reply)).second) << "two replies to " << id;
      });
    };
    callbacks.changed = [this](std::vector<Document> documents) {
      note([&] {
        for (Document& d : documents) changed_[key_of(d).str()].push_back(revision_of(d).value);
      });
    };
    callbacks.trouble = [this](std::string sentence) {
      note([&] { troubles_.push_back(std::move(sentence)); });
    };
    store_ = open(std::move(callbacks));
  }
  ~StoreClient() { store_.reset(); }

  std::uint64_t send(StoreRequest request) {
    const std::uint64_t id = ++last_id_;
    store_->request(id, std::move(request));
    return id;
  }
  template <typename Reply>
  Reply await(std::uint64_t id) {
    std::unique_lock lock(mutex_);
    if (!news_.wait_for(lock, kPatience, [&] { return replies_.contains(id); })) {
      ADD_FAILURE() << "no reply to " << id;
      return {};
    }
    const auto* reply = std::get_if<Reply>(&replies_.at(id));
    const auto* failed = std::get_if<StoreFailed>(&replies_.at(id));
    EXPECT_NE(reply, nullptr) << (failed ? failed->why : "another kind of reply");
    return reply ? *reply : Reply{};
  }
  // Of whatever kind.
  StoreReply reply(std::uint64_t id) {
    std::unique_lock lock(mutex_);
    if (!news_.wait_for(lock, kPatience, [&] { return replies_.contains(id); })) {
      ADD_FAILURE() << "no reply to " << id;
      return StoreFailed{"no reply"};
    }
    return replies_.at(id);
  }
  CasReply cas_reply(std::uint64_t base, Document document) {
    return await<CasReply>(send(CasDocument{Revision(base), std::move(document)}));
  }
  CasOutcome cas(std::uint64_t base, Document document) {
    return cas_reply(base, std::move(document)).outcome;
  }
  std::optional<Document> read(const DocumentKey& key) {
    return await<ReadReply>(send(ReadDocument{key})).document;
  }
  std::string read_failure(const DocumentKey& key) {
    return await<StoreFailed>(send(ReadDocument{key})).why;
  }
  std::vector<Document> list() { return await<ListReply>(send(ListDocuments{})).documents; }
  // Asks again until it is answered: a store that is coming back.
  bool comes_back() {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < until) {
      const auto id = send(ListDocuments{});
      std::unique_lock lock(mutex_);
      if (!news_.wait_for(lock, kPatience, [&] { return replies_.contains(id); })) return false;
      if (std::holds_alternative<ListReply>(replies_.at(id))) return true;
    }
    return false;
  }
  // Asks again until the answer is a failure with these words.
  bool comes_to_fail(const std::string& words) {
    const auto until = std::chrono::steady_clock::now() + kPatience;
    while (std::chrono::steady_clock::now() < until) {
      const auto id = send(ListDocuments{});
      std::unique_lock lock(mutex_);
      if (!news_.wait_for(lock, kPatience, [&] { return replies_.contains(id); })) return false;
      const auto* failed = std::get_if<StoreFailed>(&replies_.at(id));
      if (failed != nullptr && failed->why.find(words) != std::string::npos) return true;
    }
    return false;
  }
  bool sees(const DocumentKey& key, std::uint64_t rev) {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, kPatience, [&] {
      const auto& told = changed_[key.str()];
      return !told.empty() && told.back() >= rev;
    });
  }
  // The revs of a document that the watch told, in its order.
  std::vector<std::uint64_t> told(const DocumentKey& key) {
    const std::lock_guard lock(mutex_);
    return changed_[key.str()];
  }
  bool hears(const std::string& words) {
    std::unique_lock lock(mutex_);
    return news_.wait_for(lock, kPatience, [&] {
      for (const auto& sentence : troubles_) {
        if (sentence.find(words) != std::string::npos) return true;
      }
      return false;
    });
  }
  std::vector<std::string> troubles() {
    const std::lock_guard lock(mutex_);
    return troubles_;
  }
  std::size_t replies() {
    const std::lock_guard lock(mutex_);
    return replies_.size();
  }
  Store& store() { return *store_; }

 private:
  template <typename F>
  void note(F f) {
    const std::lock_guard lock(mutex_);
    f();
    news_.notify_all();
  }

  std::mutex mutex_;
  std::condition_variable news_;
  std::map<std::uint64_t, StoreReply> replies_;
  std::map<std::string, std::vector<std::uint64_t>> changed_;
  std::vector<std::string> troubles_;
  std::uint64_t last_id_ = 0;
  std::unique_ptr<Store> store_;
};

inline LeaderDocument leader(std::uint64_t rev, std::uint64_t nonce = 0) {
  return {Revision(rev), NodeName("n1"), Incarnation(1), nonce};
}
inline Document table(unsigned shard, std::uint64_t rev) {
  return TableDocument{shard, Revision(rev), Epoch(), {}};
}

// Adds one to the leader document's rev `times` times against all others.
inline void count_up(StoreClient& client, std::uint64_t times) {
  for (std::uint64_t won = 0; won < times;) {
    const auto now = client.read(leader_key());
    const std::uint64_t rev = now ? revision_of(*now).value : 0;
    const std::uint64_t nonce = now ? std::get<LeaderDocument>(*now).nonce : 0;
    const CasOutcome outcome = client.cas(rev, leader(rev + 1, nonce + 1));
    if (outcome == CasOutcome::Won) ++won;
    ASSERT_NE(outcome, CasOutcome::Unknown);
    if (testing::Test::HasFailure()) return;
  }
}

}  // namespace herald::coord
