#include "coord/heartbeat_key_io.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

namespace herald::coord {
namespace {

// ctest runs tests at the same time.
std::string key_path() {
  return testing::TempDir() + "heartbeat-" + std::to_string(getpid()) + ".key";
}

// Or "key ..." if it was read.
std::string fault_of(const std::string& text, mode_t mode) {
  const std::string path = key_path();
  std::filesystem::remove(path);
  std::ofstream(path, std::ios::binary) << text;
  chmod(path.c_str(), mode);
  const auto key = read_heartbeat_key(path);
  std::filesystem::remove(path);
  if (!key) return key.error();
  return "key " + *key;
}

TEST(HeartbeatKey, ReadsOneLineOrRawOctets) {
  const std::string hex(64, 'a'), raw = "raw octets of a\nkey";
  EXPECT_EQ(fault_of(hex + "\n", 0600), "key " + hex);
  EXPECT_EQ(fault_of(hex, 0440), "key " + hex);
  EXPECT_EQ(fault_of(raw, 0400), "key " + raw);
  EXPECT_EQ(fault_of(std::string(16, 'k'), 0400), "key " + std::string(16, 'k'));
}

TEST(HeartbeatKey, RefusalsNameTheFileAndTheRemedy) {
  const std::string path = key_path();
  const std::string file = "heartbeat-key-file: '" + path + "' ";
  const std::string make = "make one with 'openssl rand -hex 32', the same for all nodes";
  for (const mode_t mode : {0644U, 0604U, 0602U, 0601U}) {
    EXPECT_NE(fault_of(std::string(32, 'k'), mode).find("is open to every user"),
              std::string::npos);
  }
  EXPECT_EQ(fault_of(std::string(32, 'k'), 0644),
            file +
                "is open to every user (mode 0644): chmod 600 it, or set defaultMode: 0400 on "
                "the volume of a Secret");
  EXPECT_EQ(fault_of(std::string(15, 'k') + "\n", 0600),
            file + "has 15 octets: a key has 16 to 64; " + make);
  EXPECT_EQ(fault_of("", 0600), file + "has 0 octets: a key has 16 to 64; " + make);
  for (const std::size_t length : {65U, 100'000U}) {
    EXPECT_EQ(fault_of(std::string(length, 'k'), 0600),
              file + "has more than 64 octets, the most of a key; " + make);
  }
  const auto missing = read_heartbeat_key(path);
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error(), file + "cannot be read: No such file or directory; " + make);
  const auto folder = read_heartbeat_key(testing::TempDir());
  ASSERT_FALSE(folder);
  EXPECT_NE(folder.error().find("is no file"), std::string::npos);
}

}  // namespace
}  // namespace herald::coord
