#include "cli/manifest_files_io.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace herald::cli {
namespace {

class ManifestFiles : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/herald_manifest_files_XXXXXX";
    path_ = ::mkdtemp(name.data());
  }
  void TearDown() override { std::filesystem::remove_all(path_); }
  void write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ + "/" + name) << text;
  }

  std::string path_;
};

TEST_F(ManifestFiles, DirectoriesAreReadAsHeralddDoes) {
  write("b.yaml", "b");
  write("a.json", "a");
  write("c.yml", "c");
  write("notes.txt", "n");
  write(".hidden.yaml", "h");
  const auto files = read_manifest_files({path_ + "/", path_ + "/b.yaml", path_ + "/notes.txt"});
  ASSERT_EQ(files.size(), 4U) << "what is named twice is read once; a named file may have any name";
  EXPECT_EQ(files[0].path, path_ + "/a.json");
  EXPECT_EQ(files[1].text, "b");
  EXPECT_EQ(files[2].text, "c");
  EXPECT_EQ(files[3].path, path_ + "/notes.txt");
}

TEST_F(ManifestFiles, WhatCannotBeReadIsAProblem) {
  const auto files = read_manifest_files({path_ + "/missing.yaml"});
  ASSERT_EQ(files.size(), 1U);
  EXPECT_EQ(files[0].unreadable, "No such file or directory");
  const Desired desired = manifests_of(files).desired();
  ASSERT_EQ(desired.problems.size(), 1U);
  EXPECT_EQ(desired.problems[0].source.file, path_ + "/missing.yaml");
  EXPECT_FALSE(desired.complete);
}

}  // namespace
}  // namespace herald::cli
