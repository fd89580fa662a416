// evaluate and predict, with the model that a training has left.
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/dataset_manifest.h"
#include "launcher/exit_codes.h"
#include "tests/end_to_end/commands.h"

namespace lockstep {
namespace {

using testing::HasSubstr;
using testing::Not;
using tests::Commands;
using tests::lockstep;
using tests::Outcome;

TEST_F(Commands, EvaluateGivesTheNumbersOfTheRun) {
  const auto expected = nlohmann::json::parse(tests::read_file(run_folder() + "/all_results.json"));
  const std::string file = world_->path("evaluation.json");
  const Outcome outcome = lockstep("evaluate --model_name_or_path " + run_folder() + " --dataset " +
                                   world_->dataset_folder() + " --max_seq_length 48 --output_file " + file);
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("95 %"));
  const auto measured = nlohmann::json::parse(tests::read_file(file));
  EXPECT_EQ(measured["eval_accuracy"], expected["eval_accuracy"]);
  EXPECT_NEAR(measured["eval_loss"], expected["eval_loss"], 1e-6);
}

TEST_F(Commands, EvaluateSaysSoWhenLabelsHaveOtherNames) {
  const std::string folder = world_->path("cats");
  std::filesystem::copy(run_folder(), folder);
  std::string config = tests::read_file(folder + "/config.json");
  for (size_t at; (at = config.find("neg")) != std::string::npos;)
    config.replace(at, 3, "cat");
  std::ofstream(folder + "/config.json") << config;
  const Outcome outcome = lockstep("evaluate --model_name_or_path " + folder + " --dataset " +
                                   world_->dataset_folder() + " --max_seq_length 48");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("the model calls its labels [\"cat\",\"pos\"]"));
}

TEST_F(Commands, PredictLabelsArgumentsFilesAndStandardInput) {
  const std::string base = "predict --model_name_or_path " + run_folder() + " --format jsonl";
  const Outcome arguments = lockstep(base + " 'a good film' 'a bad film'");
  ASSERT_EQ(arguments.exit_code, 0) << arguments.output;
  std::ofstream(world_->path("texts.txt")) << "a good film\na bad film\n";
  EXPECT_EQ(lockstep(base + " --file " + world_->path("texts.txt")).output, arguments.output);
  EXPECT_EQ(
      tests::run("printf 'a good film\\na bad film\\n' | " + tests::environment("LOCKSTEP_BINARY") + " " + base).output,
      arguments.output);
  const auto first = nlohmann::json::parse(arguments.output.substr(0, arguments.output.find('\n')));
  EXPECT_NEAR(first["scores"]["neg"].get<double>() + first["scores"]["pos"].get<double>(), 1, 1e-9);
}

TEST_F(Commands, PredictTakesTextsThatLookLikeOptionsAfterTwoDashes) {
  EXPECT_THAT(lockstep("predict --model_name_or_path " + run_folder() + " -- --not-bad").output,
              HasSubstr("--not-bad"));
}

TEST_F(Commands, PredictReadsWindowsLineEnds) {
  const std::string base = "predict --model_name_or_path " + run_folder() + " --file ";
  std::ofstream(world_->path("windows.txt")) << "a good film\r\na bad film\r\n";
  std::ofstream(world_->path("unix.txt")) << "a good film\na bad film\n";
  EXPECT_EQ(lockstep(base + world_->path("windows.txt")).output, lockstep(base + world_->path("unix.txt")).output);
}

TEST_F(Commands, PredictDoesNotTakeAFolderForAnEmptyFile) {
  expect_failure(lockstep("predict --model_name_or_path " + run_folder() + " --file " + world_->path("dataset")),
                 kUsage, {"is a folder; name a file"});
  expect_failure(lockstep("predict --model_name_or_path " + run_folder() + " --file /nowhere/texts.txt"), kUsage,
                 {"--file /nowhere/texts.txt: cannot be read: No such file"});
}

TEST_F(Commands, PredictSaysWhichLabelsAreDoubtful) {
  std::ofstream(world_->path("doubtful.txt")) << "a good film\n\na b\xFF film\n" << std::string(400, '!') << "\n";
  const std::string base = "predict --model_name_or_path " + run_folder() + " --max_seq_length 48 ";
  EXPECT_THAT(
      lockstep(base + "--file " + world_->path("doubtful.txt")).output,
      HasSubstr("labels to doubt, of 4 texts: 1 longer than 48 tokens (read without the end), 1 not valid UTF-8 (bad "
                "bytes read as U+FFFD), 1 without a word (the label means nothing)"));
  EXPECT_THAT(lockstep(base + "'a good film'").output, Not(HasSubstr("labels to doubt")));
}

TEST_F(Commands, EvaluateLooksAtItsOutputBeforeItsModel) {
  const std::string nothing = "evaluate --model_name_or_path /none --dataset /none --output_file ";
  expect_failure(lockstep(nothing + "/nowhere/x.json"), kStorage, {"/nowhere/x.json: there is no folder /nowhere"});
  expect_failure(lockstep(nothing + run_folder()), kUsage, {"is a folder; name a file"});
}

TEST_F(Commands, ACheckpointIsNotTakenForAModel) {
  const std::string folder = world_->path("saved");
  ASSERT_EQ(lockstep(train_arguments("saved") + " --max_steps 1 --save_strategy steps").exit_code, 0);
  const std::string checkpoint = folder + "/checkpoint-1";
  const std::string words = checkpoint + " is a checkpoint; lockstep export " + checkpoint + " --output_dir DIR";
  expect_failure(lockstep("predict --model_name_or_path " + checkpoint + " text"), kContract, {words});
  expect_failure(lockstep("evaluate --model_name_or_path " + checkpoint + " --dataset " + world_->dataset_folder()),
                 kContract, {words});
}

TEST_F(Commands, AModelThatAnswersNaNGivesNoLabelsAndNoFigures) {
  const std::string folder = world_->path("nan_model");
  std::filesystem::copy(run_folder(), folder);
  model::DistilBert model(model::load_config(folder), "cpu");
  model::load_weights(model, folder, 0);
  std::vector<float> parameters(static_cast<size_t>(model.layout().size));
  model.get_parameters(parameters);
  for (float& parameter : parameters)
    parameter = std::numeric_limits<float>::quiet_NaN();
  model.set_parameters(parameters);
  model::save_weights(model, folder);
  expect_failure(lockstep("predict --model_name_or_path " + folder + " text"), kNumeric, {"NaN"});
  expect_failure(lockstep("evaluate --model_name_or_path " + folder + " --dataset " + world_->dataset_folder() +
                          " --max_seq_length 48"),
                 kNumeric, {"NaN"});
}

TEST_F(Commands, PredictShowsControlCharactersInsteadOfSendingThem) {
  const Outcome outcome =
      lockstep("predict --model_name_or_path " + run_folder() + " \"$(printf 'red \\033[31m text')\"");
  EXPECT_THAT(outcome.output, HasSubstr("red \\x1b[31m text"));
}

}  // namespace
}  // namespace lockstep
