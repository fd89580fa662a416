// Text of files, names and arguments that would drive a terminal, and what the program prints of it: visible escapes,
// whatever the command and whether it succeeds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "data/sha256.h"
#include "data/utf8.h"
#include "launcher/exit_codes.h"
#include "tests/end_to_end/program.h"
#include "tests/support/tiny_world.h"

namespace lockstep {
namespace {

using testing::HasSubstr;
using tests::lockstep;
using tests::Outcome;
using tests::quoted;

/// Sets a terminal's title, turns what follows around, and colours it by a C1 control; then a byte that is not UTF-8.
const std::string kHostile =
    "x\x1b]0;owned\x07\xE2\x80\xAE\xC2\x9b"
    "31my\xFFz";
/// The part of it that JSON and labels can hold.
const std::string kHostileJson =
    "x\x1b]0;owned\x07\xE2\x80\xAE\xC2\x9b"
    "31my";

bool drives_a_terminal(char32_t c) {
  return (c < 0x20 && c != '\n') || (c >= 0x7F && c <= 0x9F) || (c >= 0x202A && c <= 0x202E);
}

std::string first_bad_byte(const std::string& output) {
  for (size_t at = 0; at < output.size();) {
    const data::Decoded next = data::decode_utf8(output, at);
    if (!next.valid || drives_a_terminal(next.code_point)) return "byte " + std::to_string(at) + " of:\n" + output;
    at += next.length;
  }
  return "";
}

void expect_tame(const Outcome& outcome, int exit_code, const std::string& words) {
  EXPECT_EQ(outcome.exit_code, exit_code) << outcome.output;
  EXPECT_EQ(first_bad_byte(outcome.output), "");
  EXPECT_THAT(outcome.output, HasSubstr(words));
}

class ForeignText : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    world_ = new tests::TinyWorld();
    std::string rows = "text,label\n";
    for (int i = 0; i < 8; ++i)
      rows += "\"" + kHostile + " film " + std::string(1, static_cast<char>('a' + i)) + "\"," +
              (i % 2 == 0 ? "good" : kHostileJson) + "\n";  // labels are UTF-8, or refused
    std::ofstream(world_->path(kHostile + ".csv")) << rows;
    prepared_ =
        new Outcome(lockstep("prepare --train_file " + quoted(world_->path(kHostile + ".csv")) + " --name " +
                             quoted(kHostileJson) + " --model " + world_->model_folder() + " --output " + dataset()));
    trained_ =
        new Outcome(lockstep("train --model_name_or_path " + world_->model_folder() + " --dataset " + dataset() +
                             " --output_dir " + run() + " --eval_split train --eval_strategy epoch --max_steps 2" +
                             " --max_seq_length 48 --save_strategy steps --save_steps 1"));
  }
  static void TearDownTestSuite() {
    delete world_;
    delete prepared_;
    delete trained_;
  }
  static std::string dataset() { return world_->path("hostile"); }
  static std::string run() { return world_->path("run"); }

  static tests::TinyWorld* world_;
  static Outcome* prepared_;
  static Outcome* trained_;
};
tests::TinyWorld* ForeignText::world_ = nullptr;
Outcome* ForeignText::prepared_ = nullptr;
Outcome* ForeignText::trained_ = nullptr;

TEST_F(ForeignText, LabelsAndNamesOfADataSetAreShownEscapedByPrepare) {
  expect_tame(*prepared_, kDone, "x\\x1b]0;owned\\x07\\u202e\\x9b31my");
}

TEST_F(ForeignText, LabelsAreShownEscapedInTheTablesOfTraining) {
  expect_tame(*trained_, kDone, "x\\x1b]0;");
  EXPECT_EQ(first_bad_byte(tests::read_file(run() + "/train.log")), "");
}

TEST_F(ForeignText, LabelsAreShownEscapedByEvaluate) {
  expect_tame(lockstep("evaluate --model_name_or_path " + run() + " --dataset " + dataset() +
                       " --split train --max_seq_length 48"),
              kDone, "x\\x1b]0;owned\\x07\\u202e\\x9b31my, 8 examples");
}

TEST_F(ForeignText, TextsAndLabelsAreShownEscapedByPredict) {
  const std::string predict = "predict --model_name_or_path " + run() + " " + quoted(kHostile);
  expect_tame(lockstep(predict), kDone, "x\\x1b]0;owned\\x07\\u202e\\x9b31my\\xffz");
  expect_tame(lockstep(predict + " --format jsonl"), kDone, "x\\u001b]0;owned\\u0007\\u202e\\u009b31my");
}

TEST_F(ForeignText, ADataSetsNameIsShownEscapedByPlan) {
  const std::string plan = "plan --gpus 8 --model_name_or_path " + world_->model_folder() + " --dataset " + dataset();
  expect_tame(lockstep(plan), kDone, "Data         x\\x1b]0;owned\\x07\\u202e\\x9b31my: 8 examples");
  expect_tame(lockstep(plan + " --json"), kDone, "\"examples\": 8");
  expect_tame(lockstep("plan --fabric " + quoted(kHostile)), kUsage, "--fabric x\\x1b]0;");
  expect_tame(lockstep("plan --dataset " + quoted("/nowhere/" + kHostile)), kData, "x\\x1b]0;");
}

TEST_F(ForeignText, WordsOfACommandAreShownEscapedByLaunch) {
  const std::string command = " -- train --output_dir " + quoted(kHostile);
  expect_tame(lockstep("launch -n 1 --dry_run" + command), kDone, "--output_dir $'x\\x1b]0;owned\\x07\\xe2\\x80\\xae");
  expect_tame(lockstep("launch --slurm -n 1 --dry_run" + command), kDone, "--output_dir $'x\\x1b]0;owned\\x07");
  expect_tame(lockstep("launch -- " + quoted(kHostile)), kUsage, "no such command: x\\x1b]0;");
  expect_tame(lockstep("launch --hosts " + quoted(kHostile) + " -- train"), kUsage, "x\\x1b]0;");
}

TEST_F(ForeignText, ColumnsOfAFileAreShownEscaped) {
  const std::string file = world_->path("columns.csv");
  std::ofstream(file) << kHostile << ",label\na,1\n";
  expect_tame(lockstep("prepare --train_file " + file + " --model " + world_->model_folder() + " --output " +
                       world_->path("no")),
              kContract, "the columns are: x\\x1b]0;");
}

TEST_F(ForeignText, ArgumentsAreShownEscaped) {
  expect_tame(lockstep(quoted(kHostile)), kUsage, "x\\x1b]0;");
  expect_tame(lockstep("list " + quoted("--" + kHostile)), kUsage, "x\\x1b]0;");
  expect_tame(lockstep("train " + quoted("--" + kHostile)), kUsage, "x\\x1b]0;");
  expect_tame(lockstep("verify " + quoted("/nowhere/" + kHostile)), kCheckpoint, "x\\x1b]0;");
  expect_tame(lockstep("predict --model_name_or_path " + quoted("/nowhere/" + kHostile) + " text"), kContract,
              "x\\x1b]0;");
}

TEST_F(ForeignText, KeysOfAConfigFileAndItsNameAreShownEscaped) {
  const std::string file = world_->path(kHostile + ".toml");
  std::ofstream(file) << kHostile << " = 1\n";
  expect_tame(lockstep("train --config " + quoted(file)), kUsage, "x\\x1b]0;");
}

TEST_F(ForeignText, KeysOfADamagedDataSetAreShownEscaped) {
  const std::string folder = world_->path("damaged");
  std::filesystem::copy(dataset(), folder);
  auto json = nlohmann::json::parse(tests::read_file(folder + "/dataset.json"));
  json.erase("sha256");
  json[kHostileJson] = 1;
  std::ofstream(folder + "/dataset.json") << json;
  expect_tame(lockstep("train --model_name_or_path " + world_->model_folder() + " --dataset " + folder +
                       " --output_dir " + world_->path("no")),
              kData, "dataset.x\\x1b]0;");
}

TEST_F(ForeignText, NamesInACheckpointAreShownEscaped) {
  const std::string folder = world_->path("runs");
  std::filesystem::create_directories(folder + "/checkpoint-1");
  auto json = nlohmann::json::parse(tests::read_file(run() + "/checkpoint-1/manifest.json"));
  json.erase("sha256");
  json["files"][0]["name"] = kHostileJson;
  std::string body = json.dump();
  body.pop_back();
  std::ofstream(folder + "/checkpoint-1/manifest.json")
      << body << ",\n  \"sha256\": \"" << data::sha256_of(body) << "\"\n}\n";
  expect_tame(lockstep("list " + folder), kDone, "x\\x1b]0;");
  expect_tame(lockstep("verify " + folder), kCheckpoint, "x\\x1b]0;");
  expect_tame(lockstep("export " + folder + " --output_dir " + world_->path("no")), kCheckpoint, "x\\x1b]0;");
}

}  // namespace
}  // namespace lockstep
