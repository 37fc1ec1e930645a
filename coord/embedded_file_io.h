// coord/embedded_file_io.h: the embedded store's SQLite file: made if it is missing, checked before
// anything is read from it or written, and what it is asked with.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace herald::coord {

struct CloseDatabase {
  void operator()(sqlite3* db) const;
};
struct FinalizeStatement {
  void operator()(sqlite3_stmt* statement) const;
};
using Database = std::unique_ptr<sqlite3, CloseDatabase>;
using Statement = std::unique_ptr<sqlite3_stmt, FinalizeStatement>;

// How long to wait for other processes' locks; since when, is SQLite's to say.
struct BusyWait {
  Duration timeout{};
  std::chrono::steady_clock::time_point began;
};

// Which file it is, whatever its name.
struct FileId {
  dev_t device = 0;
  ino_t inode = 0;
  bool operator==(const FileId&) const = default;
};
std::optional<FileId> file_id(const std::string& path);

// The file at `path`, whole and ours, for one thread; `busy` outlives it. The error is a sentence
// that names the file and what to do; a file that is not ours or is damaged is left as it is.
struct EmbeddedFile {
  Database db;
  FileId id;
};
Result<EmbeddedFile> open_embedded_file(const std::string& path, BusyWait& busy);

// A code of SQLite's.
int run(sqlite3* db, const char* sql);
// Null: it is no statement.
Statement prepare(sqlite3* db, const char* sql);
std::string column_text(sqlite3_stmt* statement, int column);
// What `errnum` means.
std::string why(int errnum);

}  // namespace herald::coord
