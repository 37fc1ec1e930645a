#include "coord/embedded_file_io.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <thread>
#include <utility>

#include "base/fd_io.h"

namespace herald::coord {
namespace {

constexpr std::uint32_t kApplicationId = 0x48524C44;  // "HRLD", at offset 68 of the file
constexpr int kSchemaVersion = 1;
constexpr std::size_t kHeaderBytes = 100;
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

// SQLite's own busy handler sleeps up to 100 ms at a time; a lease cannot wait for that.
int wait_busy(void* argument, int count) {
  auto& busy = *static_cast<BusyWait*>(argument);
  const auto now = std::chrono::steady_clock::now();
  if (count == 0) busy.began = now;
  if (now - busy.began >= busy.timeout) return 0;
  std::this_thread::sleep_for(500us);
  return 1;
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

}  // namespace

void CloseDatabase::operator()(sqlite3* db) const {
  sqlite3_close_v2(db);
}
void FinalizeStatement::operator()(sqlite3_stmt* statement) const {
  sqlite3_finalize(statement);
}

std::string why(int errnum) {
  return std::generic_category().message(errnum);
}

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

std::optional<FileId> file_id(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return std::nullopt;
  return FileId{info.st_dev, info.st_ino};
}

Result<EmbeddedFile> open_embedded_file(const std::string& path, BusyWait& busy) {
  const std::string store = "store file '" + path + "'";
  const std::string parent = std::filesystem::path(path).parent_path().string();
  const std::string directory = parent.empty() ? "." : parent;
  if (const auto ok = check_directory(store, directory); !ok) return error(ok.error());
  struct stat info {};
  if (::lstat(path.c_str(), &info) != 0 && errno == ENOENT) {
    if (const auto ok = create(store, path, directory); !ok) return error(ok.error());
  }
  if (const auto ok = check_file(store, path); !ok) return error(ok.error());

  busy.timeout = kOpenTimeout;
  const auto id = file_id(path);
  auto db = connect(path, SQLITE_OPEN_READWRITE, busy);
  if (!db || !id) {
    return error(store + " cannot be opened: " + (db ? why(errno) : db.error()) +
                 "; check its rights and the disk");
  }
  // A damaged file is evidence: closing it again must not write the log back into it.
  sqlite3_db_config(db->get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1, nullptr);
  if (const auto ok = check_header(store, db->get()); !ok) return error(ok.error());
  if (const auto ok = check_content(store, db->get()); !ok) return error(ok.error());
  sqlite3_db_config(db->get(), SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 0, nullptr);
  if (run(db->get(), kConnection) != SQLITE_OK) {
    return error(store + " cannot be opened: " + sqlite3_errmsg(db->get()) +
                 "; check its rights and the disk");
  }
  return EmbeddedFile{std::move(*db), *id};
}

}  // namespace herald::coord
