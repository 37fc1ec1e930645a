#include "coord/embedded_store_io.h"

#include <fcntl.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <deque>
#include <filesystem>
#include <limits>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include "base/fd_io.h"
#include "coord/document_wire.h"

namespace herald::coord {
namespace {

constexpr std::uint32_t kApplicationId = 0x48524C44;  // "HRLD", at offset 68 of the file
constexpr int kSchemaVersion = 1;
constexpr std::size_t kHeaderBytes = 100;
constexpr std::size_t kBatch = 256;  // CAS per transaction
constexpr Duration kOpenTimeout = 5s;
// FULL: a commit is on the disk before it is answered.
constexpr const char* kConnection = "PRAGMA synchronous=FULL; PRAGMA trusted_schema=OFF;";
constexpr const char* kSchema =
    "PRAGMA journal_mode=WAL;"
    "BEGIN IMMEDIATE;"
    "CREATE TABLE documents(key TEXT PRIMARY KEY NOT NULL, rev INTEGER NOT NULL,"
    " change INTEGER NOT NULL, body TEXT NOT NULL);"
    "CREATE UNIQUE INDEX documents_change ON documents(change);"
    "PRAGMA application_id=1213353028;"
    "PRAGMA user_version=1;"
    "COMMIT;";
static_assert(kApplicationId == 1213353028 && kSchemaVersion == 1);

std::string why(int errnum) {
  return std::generic_category().message(errnum);
}

// SQLite's own busy handler sleeps up to 100 ms at a time; a lease cannot wait for that.
struct BusyWait {
  Duration timeout{};
  std::chrono::steady_clock::time_point began;
};
int wait_busy(void* argument, int count) {
  auto& busy = *static_cast<BusyWait*>(argument);
  const auto now = std::chrono::steady_clock::now();
  if (count == 0) busy.began = now;
  if (now - busy.began >= busy.timeout) return 0;
  std::this_thread::sleep_for(500us);
  return 1;
}

struct CloseDatabase {
  void operator()(sqlite3* db) const { sqlite3_close_v2(db); }
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const { sqlite3_finalize(statement); }
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

int run(sqlite3* db, const char* sql) {
  return sqlite3_exec(db, sql, nullptr, nullptr, nullptr);
}

Statement prepare(sqlite3* db, const char* sql) {
  sqlite3_stmt* out = nullptr;
  sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &out, nullptr);
  return Statement(out);
}

std::string column_text(sqlite3_stmt* statement, int column) {
  const void* bytes = sqlite3_column_blob(statement, column);
  const auto size = static_cast<std::size_t>(sqlite3_column_bytes(statement, column));
  return bytes == nullptr ? std::string() : std::string(static_cast<const char*>(bytes), size);
}

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

// Which file it is, whatever its name.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};
std::optional<FileId> file_id(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileId{info.st_dev, info.st_ino};
}

Result<Database> connect(const std::string& path, int flags, BusyWait& busy) {
  sqlite3* raw = nullptr;
  const int rc = sqlite3_open_v2(path.c_str(), &raw, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  Database db(raw);
  if (rc != SQLITE_OK) return error(std::string(sqlite3_errstr(rc)));
  sqlite3_extended_result_codes(raw, 1);
  sqlite3_busy_handler(raw, wait_busy, &busy);
  return db;
}

Result<void> check_directory(const std::string& store, const std::string& directory) {
  struct stat info {};
  if (::stat(directory.c_str(), &info) != 0) {
    if (errno == ENOENT) {
      return error(store + " cannot be created: there is no directory '" + directory +
                   "'; create it with: mkdir -p '" + directory + "'");
    }
    return error(store + " cannot be opened: directory '" + directory + "': " + why(errno) +
                 "; let heraldd's user enter it");
  }
  if (!S_ISDIR(info.st_mode)) {
    return error(store + " cannot be opened: '" + directory +
                 "' is no directory; correct the path of the store");
  }
  // SQLite keeps its -wal and -shm files there too.
  if (::faccessat(AT_FDCWD, directory.c_str(), W_OK | X_OK, AT_EACCESS) != 0) {
    return error(store + " cannot be opened: directory '" + directory + "' is not writable: " +
                 why(errno) + "; give it to heraldd's user with chown, or mount it read-write");
  }
  return {};
}

Result<void> check_file(const std::string& store, const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return error(store + " cannot be opened: " + why(errno));
  if (!S_ISREG(info.st_mode)) {
    return error(store + " cannot be opened: it is no regular file; correct the path of the store");
  }
  if (::faccessat(AT_FDCWD, path.c_str(), R_OK | W_OK, AT_EACCESS) != 0) {
    return error(store + " cannot be opened for reading and writing: " + why(errno) +
                 "; give it to heraldd's user with chown and chmod u+rw, or mount it read-write");
  }
  return {};
}

// Reads the header by SQLite's own file: before its first statement, which would already write
// beside it, and by no descriptor of ours, since closing that would drop the locks this process has
// on the file (POSIX).
Result<void> check_header(const std::string& store, sqlite3* db) {
  sqlite3_file* file = nullptr;
  sqlite3_file_control(db, "main", SQLITE_FCNTL_FILE_POINTER, &file);
  std::array<unsigned char, kHeaderBytes> header{};
  sqlite3_int64 size = 0;
  int rc = file->pMethods->xFileSize(file, &size);
  if (rc == SQLITE_OK && size >= static_cast<sqlite3_int64>(kHeaderBytes)) {
    rc = file->pMethods->xRead(file, header.data(), static_cast<int>(header.size()), 0);
  }
  if (rc != SQLITE_OK) {
    return error(store + " cannot be read: " + sqlite3_errstr(rc) + "; check the disk");
  }
  const std::string remedy =
      "; it was left as it is. Correct the path of the store, or, if it is the right one, stop "
      "every heraldd that shares it, and put back a copy or move it away";
  if (size < static_cast<sqlite3_int64>(kHeaderBytes)) {
    return error(store + " is not a Herald store: it has only " + std::to_string(size) + " bytes" +
                 remedy);
  }
  if (std::memcmp(header.data(), "SQLite format 3", 16) != 0) {
    return error(store + " is not a Herald store: it is no SQLite 3 file" + remedy);
  }
  std::uint32_t id = 0;
  for (std::size_t at = 68; at < 72; ++at) id = id << 8 | header[at];
  if (id != kApplicationId) {
    return error(store +
                 " is not a Herald store: it is the SQLite file of another program "
                 "(application_id " +
                 std::to_string(id) + ")" + remedy);
  }
  return {};
}

// A new store is made under another name and linked into place whole: nobody ever sees half of
// one, and of two daemons that start together one finds the other's.
Result<void> create(const std::string& store, const std::string& path,
                    const std::string& directory) {
  struct stat info {};
  if (::stat((path + "-wal").c_str(), &info) == 0 && info.st_size > 0) {
    return error(store + " is missing, but its journal '" + path +
                 "-wal' is there; put the file back, or remove the journal to start empty");
  }
  std::string draft = path + ".new-XXXXXX";
  const UniqueFd placeholder(::mkostemp(draft.data(), O_CLOEXEC));
  if (!placeholder) {
    return error(store + " cannot be created: " + why(errno) +
                 "; heraldd's user must be able to "
                 "create files in '" +
                 directory + "'");
  }
  BusyWait busy{kOpenTimeout, {}};
  std::string failed;
  if (auto db = connect(draft, SQLITE_OPEN_READWRITE, busy); !db) {
    failed = db.error();
  } else if (run(db->get(), kConnection) != SQLITE_OK || run(db->get(), kSchema) != SQLITE_OK) {
    failed = sqlite3_errmsg(db->get());
  }
  if (failed.empty() &&
      (::fchmod(placeholder.get(), 0640) != 0 || ::fsync(placeholder.get()) != 0 ||
       (::link(draft.c_str(), path.c_str()) != 0 && errno != EEXIST))) {
    failed = why(errno);
  }
  for (const char* suffix : {"", "-wal", "-shm"}) ::unlink((draft + suffix).c_str());
  const UniqueFd folder(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());  // the new name outlives a loss of power
  if (failed.empty()) return {};
  return error(store + " cannot be created: " + failed + "; check free space and rights in '" +
               directory + "'");
}

// One row with one value; the error is SQLite's.
Result<std::string> ask(sqlite3* db, const char* sql) {
  const Statement statement = prepare(db, sql);
  if (!statement || sqlite3_step(statement.get()) != SQLITE_ROW) {
    return error(std::string(sqlite3_errmsg(db)));
  }
  return column_text(statement.get(), 0);
}

Result<void> check_content(const std::string& store, sqlite3* db) {
  const auto version = ask(db, "PRAGMA user_version");
  if (version && *version != std::to_string(kSchemaVersion)) {
    return error(store + " has schema version " + *version + ", this heraldd knows " +
                 std::to_string(kSchemaVersion) + "; use the version of Herald that wrote it");
  }
  const auto sound = version ? ask(db, "PRAGMA quick_check(1)") : version;
  if (!sound || *sound != "ok") {
    return error(
        store + " is damaged (" + (sound ? *sound : sound.error()) +
        "); it was left as it is. Stop every heraldd that shares it, then put back a copy, "
        "or move it away to start empty");
  }
  const auto mode = ask(db, "PRAGMA journal_mode=WAL");
  if (!mode || *mode != "wal") {
    return error(store + " cannot be shared by write-ahead log (" +
                 (mode ? "journal mode " + *mode : mode.error()) +
                 "); put it on a local file system, no network share");
  }
  return {};
}

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
  const std::string store = "store file '" + path_ + "'";
  const std::string parent = std::filesystem::path(path_).parent_path().string();
  const std::string directory = parent.empty() ? "." : parent;
  if (const auto ok = check_directory(store, directory); !ok) return ok;
  struct stat info {};
  if (::lstat(path_.c_str(), &info) != 0 && errno == ENOENT) {
    if (const auto ok = create(store, path_, directory); !ok) return ok;
  }
  if (const auto ok = check_file(store, path_); !ok) return ok;

  busy_.timeout = kOpenTimeout;
  const auto id = file_id(path_);
  auto db = connect(path_, SQLITE_OPEN_READWRITE, busy_);
  if (!db || !id) {
    return error(store + " cannot be opened: " + (db ? why(errno) : db.error()) +
                 "; check its rights and the disk");
  }
  db_ = std::move(*db);
  file_ = *id;
  // A damaged file is evidence: closing it again must not write the log back into it.
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (const auto ok = check_header(store, db_.get()); !ok) return ok;
  if (const auto ok = check_content(store, db_.get()); !ok) return ok;
  sqlite3_db_config(db_.get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);

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
  if (run(raw, kConnection) != SQLITE_OK || !get_ || !rev_ || !all_ || !newer_ || !next_ || !put_ ||
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
