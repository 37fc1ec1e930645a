#include "coord/embedded_store_io.h"

#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>
#include <limits>
#include <map>
#include <mutex>
#include <thread>

#include "base/fd_io.h"
#include "coord/document_wire.h"
#include "coord/embedded_file_io.h"

namespace herald::coord {
namespace {

constexpr std::size_t kBatch = 256;  // CAS per transaction

int bind(sqlite3_stmt* statement, int index, const std::string& text) {
  return sqlite3_bind_text64(statement, index, text.data(), text.size(), SQLITE_STATIC,
                             SQLITE_UTF8);
}

// Ends a statement's read transaction whichever way its scope is left.
class Running {
 public:
  explicit Running(const Statement& statement) : statement_(statement.get()) {}
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() {
    sqlite3_reset(statement_);
    sqlite3_clear_bindings(statement_);
  }
  sqlite3_stmt* get() const { return statement_; }
  int step() const { return sqlite3_step(statement_); }

 private:
  sqlite3_stmt* statement_;
};

class EmbeddedStore final : public Store {
 public:
  EmbeddedStore(std::string path, EmbeddedStoreOptions options, StoreCallbacks callbacks)
      : path_(std::move(path)), options_(options), callbacks_(std::move(callbacks)) {}
  EmbeddedStore(const EmbeddedStore&) = delete;
  EmbeddedStore& operator=(const EmbeddedStore&) = delete;
  ~EmbeddedStore() override { close(); }

  Result<void> open();
  void request(std::uint64_t id, StoreRequest request) override;
  void close() override;

 private:
  struct Queued {
    std::uint64_t id = 0;
    StoreRequest request;
  };

  void serve();
  void sleep_until_woken();
  void answer(std::deque<Queued> queued, bool closing);
  StoreReply read(const ReadDocument& wanted);
  StoreReply list();
  std::vector<CasReply> write(const std::vector<const CasDocument*>& all);
  std::string write_one(const CasDocument& cas, CasReply& reply);
  void look_for_changes();

  // The document of the row that `row` is at (key, rev, change, body).
  Result<Document> document_at(sqlite3_stmt* row);
  std::string replaced() const;  // empty, or that the file at the path is another one now
  std::string failure(const char* doing);
  void wake() const;
  void say(const std::string& subject, const std::string& sentence);

  const std::string path_;
  const EmbeddedStoreOptions options_;
  const StoreCallbacks callbacks_;

  // Of the store's thread alone, once open.
  BusyWait busy_;
  Database db_;
  Statement get_, rev_, all_, newer_, next_, put_;
  FileId file_;
  std::int64_t seen_ = 0;                    // the highest change that was told
  std::map<std::string, std::string> said_;  // troubles that last, by subject

  UniqueFd wake_, notify_;
  std::mutex mutex_;
  std::deque<Queued> queue_;  // under mutex_
  bool closing_ = false;      // under mutex_
  std::mutex join_mutex_;
  std::thread thread_;
};

Result<void> EmbeddedStore::open() {
  auto file = open_embedded_file(path_, busy_);
  if (!file) return error(file.error());
  db_ = std::move(file->db);
  file_ = file->id;
  const std::string store = "store file '" + path_ + "'";
  sqlite3* raw = db_.get();
  get_ = prepare(raw, "SELECT key, rev, change, body FROM documents WHERE key=?1");
  rev_ = prepare(raw, "SELECT rev FROM documents WHERE key=?1");
  all_ = prepare(raw, "SELECT key, rev, change, body FROM documents ORDER BY key");
  newer_ =
      prepare(raw, "SELECT key, rev, change, body FROM documents WHERE change>?1 ORDER BY change");
  next_ = prepare(raw, "SELECT coalesce(max(change),0) FROM documents");
  put_ = prepare(raw,
                 "INSERT INTO documents(key,rev,change,body) VALUES(?1,?2,"
                 "(SELECT coalesce(max(change),0)+1 FROM documents),?3) ON CONFLICT(key) DO UPDATE "
                 "SET rev=excluded.rev, change=excluded.change, body=excluded.body");
  if (!get_ || !rev_ || !all_ || !newer_ || !next_ || !put_ ||
      sqlite3_step(next_.get()) != SQLITE_ROW) {
    return error(store + " is not a Herald store: " + sqlite3_errmsg(raw) +
                 "; it was left as it is. Correct the path of the store, or move the file away");
  }
  seen_ = sqlite3_column_int64(next_.get(), 0);
  sqlite3_reset(next_.get());

  wake_.reset(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  notify_.reset(::inotify_init1(IN_NONBLOCK | IN_CLOEXEC));
  if (!wake_ || !notify_ ||
      ::inotify_add_watch(notify_.get(), path_.c_str(), IN_ATTRIB | IN_MOVE_SELF) < 0) {
    return error(store + " cannot be watched: " + why(errno) +
                 "; raise fs.inotify.max_user_instances or the limit of open files");
  }
  busy_.timeout = options_.timeout;
  thread_ = std::thread([this] { serve(); });
  return {};
}

void EmbeddedStore::request(std::uint64_t id, StoreRequest request) {
  const std::lock_guard lock(mutex_);
  if (closing_) return;
  queue_.push_back({id, std::move(request)});
  wake();
}

void EmbeddedStore::close() {
  {
    const std::lock_guard lock(mutex_);
    closing_ = true;
    if (wake_) wake();
  }
  const std::lock_guard lock(join_mutex_);
  if (thread_.joinable()) thread_.join();
}

void EmbeddedStore::wake() const {
  const std::uint64_t one = 1;
  // Fails only if it would overflow, and then the thread is awake anyway.
  [[maybe_unused]] const auto written = ::write(wake_.get(), &one, sizeof one);
}

void EmbeddedStore::serve() {
  while (true) {
    std::deque<Queued> queued;
    bool closing = false;
    {
      const std::lock_guard lock(mutex_);
      queued.swap(queue_);
      closing = closing_;
    }
    answer(std::move(queued), closing);
    if (closing) break;
    look_for_changes();
    sleep_until_woken();
  }
  for (Statement* statement : {&get_, &rev_, &all_, &newer_, &next_, &put_}) statement->reset();
  db_.reset();
}

void EmbeddedStore::sleep_until_woken() {
  std::array<pollfd, 2> fds{pollfd{wake_.get(), POLLIN, 0}, pollfd{notify_.get(), POLLIN, 0}};
  const auto period = std::chrono::ceil<std::chrono::milliseconds>(options_.watch_period);
  ::poll(fds.data(), fds.size(), static_cast<int>(std::clamp<long>(period.count(), 1, 60'000)));
  // What they say does not matter, only that they spoke: everything is looked at.
  std::array<char, 4096> drained;
  for (const pollfd& fd : fds) {
    while (::read(fd.fd, drained.data(), drained.size()) > 0) {
    }
  }
}

void EmbeddedStore::answer(std::deque<Queued> queued, bool closing) {
  for (std::size_t at = 0; at < queued.size();) {
    if (closing) {
      const bool cas = std::holds_alternative<CasDocument>(queued[at].request);
      callbacks_.reply(queued[at].id,
                       cas ? StoreReply(CasReply{CasOutcome::NotSent, "the store was closed"})
                           : StoreReply(StoreFailed{"the store was closed"}));
      ++at;
    } else if (const auto* wanted = std::get_if<ReadDocument>(&queued[at].request)) {
      callbacks_.reply(queued[at++].id, read(*wanted));
    } else if (std::holds_alternative<ListDocuments>(queued[at].request)) {
      callbacks_.reply(queued[at++].id, list());
    } else {
      std::vector<const CasDocument*> batch;
      for (std::size_t i = at; i < queued.size() && batch.size() < kBatch; ++i) {
        const auto* cas = std::get_if<CasDocument>(&queued[i].request);
        if (cas == nullptr) break;
        batch.push_back(cas);
      }
      for (CasReply& reply : write(batch)) callbacks_.reply(queued[at++].id, std::move(reply));
    }
  }
}

StoreReply EmbeddedStore::read(const ReadDocument& wanted) {
  if (std::string gone = replaced(); !gone.empty()) return StoreFailed{std::move(gone)};
  const Running row(get_);
  bind(row.get(), 1, wanted.key.str());
  switch (row.step()) {
    case SQLITE_DONE:
      return ReadReply{};
    case SQLITE_ROW: {
      auto document = document_at(row.get());
      if (!document) return StoreFailed{std::move(document.error())};
      return ReadReply{std::move(*document)};
    }
    default:
      return StoreFailed{failure("read")};
  }
}

StoreReply EmbeddedStore::list() {
  if (std::string gone = replaced(); !gone.empty()) return StoreFailed{std::move(gone)};
  const Running row(all_);
  ListReply out;
  int rc = row.step();
  for (; rc == SQLITE_ROW; rc = row.step()) {
    if (auto document = document_at(row.get())) out.documents.push_back(std::move(*document));
  }
  if (rc != SQLITE_DONE) return StoreFailed{failure("read")};
  say("read", "");
  return out;
}

// Fills in what is known before the commit: Won if it commits. A failure is returned.
std::string EmbeddedStore::write_one(const CasDocument& cas, CasReply& reply) {
  const std::string key = key_of(cas.document).str();
  const auto base = static_cast<std::int64_t>(cas.base.value);
  {
    const Running row(rev_);
    bind(row.get(), 1, key);
    const int rc = row.step();
    if (rc != SQLITE_ROW && rc != SQLITE_DONE) return failure("read");
    if ((rc == SQLITE_ROW ? sqlite3_column_int64(row.get(), 0) : 0) != base) {
      reply.outcome = CasOutcome::Conflict;
      return {};
    }
  }
  const std::string body = print_document(cas.document);
  const Running row(put_);
  bind(row.get(), 1, key);
  sqlite3_bind_int64(row.get(), 2, base + 1);
  bind(row.get(), 3, body);
  if (row.step() != SQLITE_DONE) return failure("written");
  reply.outcome = CasOutcome::Won;
  return {};
}

std::vector<CasReply> EmbeddedStore::write(const std::vector<const CasDocument*>& all) {
  std::vector<CasReply> replies(all.size(), CasReply{CasOutcome::NotSent, {}});
  const auto nothing_written = [&](const std::string& reason) {
    for (CasReply& reply : replies) reply = {CasOutcome::NotSent, reason};
    return replies;
  };
  if (run(db_.get(), "BEGIN IMMEDIATE") != SQLITE_OK) return nothing_written(failure("written"));
  std::string failed = replaced();
  for (std::size_t i = 0; i < all.size() && failed.empty(); ++i) {
    if (all[i]->base.value >= std::numeric_limits<std::int64_t>::max() ||
        revision_of(all[i]->document) != all[i]->base.next()) {
      replies[i].why = "the document's rev is not base + 1";
      continue;
    }
    failed = write_one(*all[i], replies[i]);
  }
  if (!failed.empty()) {
    // Some errors have rolled back already; then this one fails and nothing is lost.
    run(db_.get(), "ROLLBACK");
    return nothing_written(failed);
  }
  if (run(db_.get(), "COMMIT") == SQLITE_OK) {
    say("written", "");
    // Tells the watches of the other processes. The log itself is modified before the commit can
    // be seen, so a notice of that would come too early.
    ::utimensat(AT_FDCWD, path_.c_str(), nullptr, 0);
    return replies;
  }
  failed = failure("written");
  if (sqlite3_get_autocommit(db_.get()) == 0) run(db_.get(), "ROLLBACK");
  for (CasReply& reply : replies) {
    // A conflict may have been with another CAS of this transaction.
    reply = {reply.outcome == CasOutcome::Won ? CasOutcome::Unknown : CasOutcome::NotSent, failed};
  }
  return replies;
}

void EmbeddedStore::look_for_changes() {
  const std::string gone = replaced();
  say("file", gone);
  if (!gone.empty()) return;
  std::vector<Document> changed;
  {
    const Running row(newer_);
    sqlite3_bind_int64(row.get(), 1, seen_);
    int rc = row.step();
    for (; rc == SQLITE_ROW; rc = row.step()) {
      seen_ = sqlite3_column_int64(row.get(), 2);
      if (auto document = document_at(row.get())) changed.push_back(std::move(*document));
    }
    if (rc != SQLITE_DONE) failure("read");  // said; what was left comes the next time
  }
  if (!changed.empty()) callbacks_.changed(std::move(changed));
}

Result<Document> EmbeddedStore::document_at(sqlite3_stmt* row) {
  const DocumentKey key(column_text(row, 0));
  auto document = parse_document(key, column_text(row, 3));
  const auto rev = static_cast<std::uint64_t>(sqlite3_column_int64(row, 1));
  if (document && revision_of(*document).value != rev) {
    document = error("its rev is " + std::to_string(revision_of(*document).value) +
                     ", the row's is " + std::to_string(rev));
  }
  const std::string subject = "document " + key.str();
  if (document) {
    say(subject, "");
    return document;
  }
  const std::string sentence =
      "documents key '" + key.str() + "' in '" + path_ + "' can't be read: " + document.error() +
      "; if a newer Herald wrote it, upgrade this one; else stop every heraldd that shares the "
      "file and put back a copy of it, or delete that row with sqlite3";
  say(subject, sentence);
  return error(sentence);
}

std::string EmbeddedStore::replaced() const {
  if (file_id(path_) == file_) return {};
  return "store file '" + path_ +
         "' was removed or replaced while in use; restart every heraldd "
         "that shares it";
}

std::string EmbeddedStore::failure(const char* doing) {
  const int code = sqlite3_errcode(db_.get()) & 0xff;
  std::string out = "store file '" + path_ + "' can't be " + doing + ": ";
  if (code == SQLITE_BUSY) {
    return out + "other processes kept it locked for " + to_string(options_.timeout);
  }
  out += sqlite3_errmsg(db_.get());
  switch (code) {
    case SQLITE_FULL:
      out += "; free space on its disk";
      break;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      out += "; stop every heraldd that shares it and put back a copy, or move it away";
      break;
    default:
      out += "; check its disk and its rights";
  }
  say(doing, out);
  return out;
}

// Trouble of one subject is told when it begins or changes; empty: it is over.
void EmbeddedStore::say(const std::string& subject, const std::string& sentence) {
  const auto it = said_.find(subject);
  if (sentence.empty()) {
    if (it != said_.end()) said_.erase(it);
    return;
  }
  if (it != said_.end() && it->second == sentence) return;
  said_[subject] = sentence;
  callbacks_.trouble(sentence);
}

}  // namespace

Result<std::unique_ptr<Store>> open_embedded_store(const std::string& path,
                                                   EmbeddedStoreOptions options,
                                                   StoreCallbacks callbacks) {
  auto store = std::make_unique<EmbeddedStore>(path, options, std::move(callbacks));
  if (auto ok = store->open(); !ok) return error(std::move(ok.error()));
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace herald::coord
