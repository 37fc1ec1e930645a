// The embedded store on real files in a directory of its own: several instances, threads and
// processes, the watch, and every kind of file that must be refused and left alone. What every
// backend promises is in store_contract_io_test.cc.
#include "coord/embedded_store_io.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <thread>

#include "tests/coord/store_client.h"

namespace herald::coord {
namespace {

using testing::HasSubstr;
namespace fs = std::filesystem;

constexpr EmbeddedStoreOptions kOptions{5s, 250ms};

// A client of the file at `path`.
class Client : public StoreClient {
 public:
  explicit Client(const std::string& path, EmbeddedStoreOptions options = kOptions)
      : StoreClient([&](StoreCallbacks callbacks) {
          auto opened = open_embedded_store(path, options, std::move(callbacks));
          EXPECT_TRUE(opened) << opened.error();
          return opened ? std::move(*opened) : nullptr;
        }) {}
};

std::string bytes_of(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}
void write_bytes(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}
void run_sql(const std::string& path, const std::string& sql) {
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  sqlite3_busy_timeout(db, 5000);
  char* failed = nullptr;
  EXPECT_EQ(sqlite3_exec(db, sql.c_str(), nullptr, nullptr, &failed), SQLITE_OK) << failed;
  sqlite3_close(db);
}
std::string refusal(const std::string& path) {
  StoreCallbacks ignore{[](std::uint64_t, StoreReply) {}, [](std::vector<Document>) {},
                        [](std::string) {}};
  const auto opened = open_embedded_store(path, kOptions, ignore);
  return opened ? "" : opened.error();
}

class EmbeddedStore : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "herald-store-XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    directory_ = name;
    path_ = name + "/store.db";
  }
  void TearDown() override { fs::remove_all(directory_); }

  // A closed store with `tables` tables.
  void make_store(unsigned tables = 1) {
    Client client(path_);
    for (unsigned i = 0; i < tables; ++i) ASSERT_EQ(client.cas(0, table(i, 1)), CasOutcome::Won);
  }

  std::string directory_, path_;
};

TEST_F(EmbeddedStore, WhatWonIsThereAfterItIsOpenedAgain) {
  make_store(2);
  Client client(path_);
  EXPECT_EQ(client.read(table_key(1)), table(1, 1));
  EXPECT_EQ(client.cas(1, table(1, 2)), CasOutcome::Won);
  struct stat info {};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777U, 0640U);
  EXPECT_THAT(std::distance(fs::directory_iterator(directory_), {}), 3);  // no draft is left
}

TEST_F(EmbeddedStore, TheWatchTellsWhatAnotherInstanceAndItselfWrote) {
  // So long a period shows that the notice works; the other one that the clock does.
  for (const Duration period : {Duration(50s), Duration(10ms)}) {
    Client a(path_, {5s, period});
    Client b(path_, {5s, period});
    const auto now = b.read(leader_key());
    const std::uint64_t rev = now ? revision_of(*now).value : 0;
    ASSERT_EQ(a.cas(rev, leader(rev + 1)), CasOutcome::Won);
    EXPECT_TRUE(b.sees(leader_key(), rev + 1));
    EXPECT_TRUE(a.sees(leader_key(), rev + 1));
  }
}

TEST_F(EmbeddedStore, TheClockOfTheWatchFindsWritesThatGaveNoNotice) {
  Client client(path_, {5s, 10ms});
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  run_sql(path_,
          R"(UPDATE documents SET rev=2, change=99,
             body='{"rev":2,"holder":"","inc":0,"nonce":0}' WHERE key='leader')");
  EXPECT_TRUE(client.sees(leader_key(), 2));
}

TEST_F(EmbeddedStore, NoUpdateIsLostBetweenProcessesAndThreads) {
  constexpr std::uint64_t kTimes = 50;
  constexpr std::uint64_t kProcesses = 2;
  constexpr std::uint64_t kThreads = 4;
  std::vector<pid_t> children;
  for (std::uint64_t i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      {
        Client client(path_);
        count_up(client, kTimes);
      }
      ::_exit(testing::Test::HasFailure() ? 1 : 0);
    }
    children.push_back(child);
  }
  {
    std::vector<std::unique_ptr<Client>> clients;
    for (std::uint64_t i = 0; i < kThreads; ++i) clients.push_back(std::make_unique<Client>(path_));
    std::vector<std::thread> threads;
    for (auto& client : clients) threads.emplace_back([&client] { count_up(*client, kTimes); });
    for (std::thread& thread : threads) thread.join();
    for (const pid_t child : children) {
      int status = -1;
      ASSERT_EQ(::waitpid(child, &status, 0), child);
      EXPECT_EQ(status, 0);
    }
    constexpr std::uint64_t kTotal = (kProcesses + kThreads) * kTimes;
    EXPECT_EQ(clients[0]->read(leader_key()), Document(leader(kTotal, kTotal)));
    EXPECT_TRUE(clients[0]->sees(leader_key(), kTotal));
  }
}

TEST_F(EmbeddedStore, ALockedFileIsNotSentAndReadsGoOn) {
  Client client(path_, {20ms, 250ms});
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  sqlite3* db = nullptr;
  ASSERT_EQ(sqlite3_open(path_.c_str(), &db), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(db, "BEGIN IMMEDIATE", nullptr, nullptr, nullptr), SQLITE_OK);
  const auto reply = client.await<CasReply>(client.send(CasDocument{Revision(1), leader(2)}));
  EXPECT_EQ(reply.outcome, CasOutcome::NotSent);
  EXPECT_THAT(reply.why, HasSubstr("kept it locked for 20ms"));
  EXPECT_EQ(client.read(leader_key()), Document(leader(1)));
  sqlite3_close(db);
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::Won);
}

TEST_F(EmbeddedStore, ARowThatCannotBeReadIsLeftOutAndSaidOnce) {
  make_store(3);
  run_sql(path_, "UPDATE documents SET body='{\"shard\":' WHERE key='table/1'");
  Client client(path_);
  for (int i = 0; i < 2; ++i) {
    EXPECT_THAT(client.await<ListReply>(client.send(ListDocuments{})).documents,
                testing::UnorderedElementsAre(table(0, 1), table(2, 1)));
  }
  const auto failed = client.await<StoreFailed>(client.send(ReadDocument{table_key(1)}));
  EXPECT_THAT(failed.why, HasSubstr("documents key 'table/1' in '" + path_ + "' can't be read"));
  EXPECT_THAT(client.troubles(), testing::ElementsAre(failed.why));
  EXPECT_EQ(client.cas(0, table(1, 1)), CasOutcome::Conflict);  // it is there, and stays
  EXPECT_EQ(client.cas(1, table(0, 2)), CasOutcome::Won);
}

TEST_F(EmbeddedStore, AFileThatWasReplacedFailsEveryRequest) {
  Client client(path_);
  ASSERT_EQ(client.cas(0, leader(1)), CasOutcome::Won);
  fs::rename(path_, path_ + ".away");
  EXPECT_EQ(client.cas(1, leader(2)), CasOutcome::NotSent);
  EXPECT_THAT(client.await<StoreFailed>(client.send(ListDocuments{})).why,
              HasSubstr("was removed or replaced"));
}

TEST_F(EmbeddedStore, FilesThatAreNoSoundStoreAreRefusedAndLeftAlone) {
  make_store(16);
  const std::string good = bytes_of(path_);
  ASSERT_GT(good.size(), 8192U);
  std::string other_program = good, newer = good, damaged = good;
  other_program[71] = 'X';
  newer[63] = 9;
  damaged.replace(4096, 2048, 2048, '\x5a');
  const struct {
    const char* about;
    std::string bytes, says;
  } cases[] = {
      {"text", "pools: []\n" + std::string(5000, 'x'), "it is no SQLite 3 file"},
      {"empty", "", "it has only 0 bytes"},
      {"half a header", good.substr(0, 50), "it has only 50 bytes"},
      {"other program", other_program, "the SQLite file of another program"},
      {"newer", newer, "schema version 9, this heraldd knows 1"},
      {"damaged", damaged, "is damaged"},
      {"cut in a page", good.substr(0, good.size() - 1000), "is damaged"},
      {"cut at a page", good.substr(0, good.size() - 4096), "is damaged"},
      {"first page alone", good.substr(0, 4096), "is damaged"},
  };
  for (const auto& wrong : cases) {
    SCOPED_TRACE(wrong.about);
    const std::string path = directory_ + "/wrong.db";
    write_bytes(path, wrong.bytes);
    const std::string said = refusal(path);
    EXPECT_THAT(said, HasSubstr("store file '" + path + "'"));
    EXPECT_THAT(said, HasSubstr(wrong.says));
    EXPECT_EQ(bytes_of(path), wrong.bytes);
  }
}

TEST_F(EmbeddedStore, EveryTruncationIsRefusedOrWholeAndNeverChanged) {
  make_store(16);
  const std::string good = bytes_of(path_);
  const std::string path = directory_ + "/cut.db";
  for (std::size_t length = 0; length < good.size(); length += 509) {
    write_bytes(path, good.substr(0, length));
    EXPECT_NE(refusal(path), "") << length;
    EXPECT_EQ(bytes_of(path).size(), length);
  }
}

TEST_F(EmbeddedStore, PlacesWhereNoStoreCanBeAreNamedWithTheRemedy) {
  EXPECT_THAT(refusal(directory_ + "/a/b/store.db"),
              HasSubstr("mkdir -p '" + directory_ + "/a/b'"));
  EXPECT_THAT(refusal(directory_), HasSubstr("it is no regular file"));
  write_bytes(directory_ + "/file", "");
  EXPECT_THAT(refusal(directory_ + "/file/store.db"), HasSubstr(directory_ + "/file'"));
  write_bytes(path_ + "-wal", "frames of a store that was removed");
  EXPECT_THAT(refusal(path_), HasSubstr("put the file back, or remove the journal"));
  EXPECT_FALSE(fs::exists(path_));
}

TEST_F(EmbeddedStore, UnwritablePlacesAreRefused) {
  make_store();
  const std::string before = bytes_of(path_);
  ASSERT_EQ(::chmod(path_.c_str(), 0444), 0);
  ASSERT_EQ(::chmod(directory_.c_str(), 0777), 0);
  const bool root = ::geteuid() == 0;  // whom rights do not bind
  ASSERT_TRUE(!root || ::seteuid(65534) == 0);
  const std::string read_only_file = refusal(path_);
  ASSERT_TRUE(!root || ::seteuid(0) == 0);
  ASSERT_EQ(::chmod(directory_.c_str(), 0555), 0);
  ASSERT_TRUE(!root || ::seteuid(65534) == 0);
  const std::string read_only_directory = refusal(directory_ + "/new.db");
  ASSERT_TRUE(!root || ::seteuid(0) == 0);
  ASSERT_EQ(::chmod(directory_.c_str(), 0755), 0);
  EXPECT_THAT(read_only_file, HasSubstr("cannot be opened for reading and writing"));
  EXPECT_THAT(read_only_directory, HasSubstr("is not writable: Permission denied; give it to"));
  EXPECT_EQ(bytes_of(path_), before);
  EXPECT_FALSE(fs::exists(directory_ + "/new.db"));
}

}  // namespace
}  // namespace herald::coord
