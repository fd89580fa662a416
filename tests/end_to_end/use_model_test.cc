// evaluate and predict, with the model that a training has left.
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <sstream>

#include "data/dataset_manifest.h"
#include "launcher/exit_codes.h"
#include "tests/end_to_end/commands.h"
#include "tests/support/bert_folder.h"

namespace lockstep {
namespace {

using testing::HasSubstr;
using testing::Not;
using tests::Commands;
using tests::lockstep;
using tests::Outcome;

/// The trained run, its own files to change.
std::string copy_of(const std::string& run, const std::string& folder) {
  std::filesystem::copy(run, folder);
  return folder;
}

/// Its classifier, and the labels in its config.json, become these.
void give_labels(const std::string& folder, const std::vector<std::string>& labels) {
  model::DistilBertConfig config = model::load_config(folder);
  config.labels = labels;
  model::DistilBert model(config, "cpu");
  model.initialize(7, false);
  model::save_weights(model, folder);
}

void change_config(const std::string& folder, const nlohmann::json& keys) {
  nlohmann::json config = nlohmann::json::parse(tests::read_file(folder + "/config.json"));
  config.merge_patch(keys);  // null: without the key
  std::ofstream(folder + "/config.json") << config;
}

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

TEST_F(Commands, PredictTakesEachArgumentForOneTextAsItIs) {
  const std::string base = "predict --model_name_or_path " + run_folder();
  const std::string texts = " '[good film, bad film]' '[SEP]' '[]' good '-5 degrees' '- a bad film'";
  std::ofstream(world_->path("brackets.txt")) << "[good film, bad film]\n[SEP]\n[]\ngood\n-5 degrees\n- a bad film\n";
  const Outcome from_file = lockstep(base + " --file " + world_->path("brackets.txt"));
  EXPECT_THAT(from_file.output, HasSubstr("  [good film, bad film]\n"));
  EXPECT_EQ(std::count(from_file.output.begin(), from_file.output.end(), '\n'), 7) << from_file.output;
  EXPECT_EQ(lockstep(base + texts).output, from_file.output);
  EXPECT_EQ(lockstep(base + " --" + texts).output, from_file.output);
}

TEST_F(Commands, PredictFindsItsOptionsBetweenTheTexts) {
  const std::string model = " --model-name-or-path " + run_folder();
  EXPECT_EQ(lockstep("predict 'a film'" + model + " --format=jsonl good --batch_size 1 -- bad").output,
            lockstep("predict" + model + " --format jsonl --batch_size 1 'a film' good bad").output);
}

TEST_F(Commands, PredictTakesAMistypedOptionForNoText) {
  const std::string base = "predict --model_name_or_path " + run_folder();
  expect_failure(lockstep(base + " '-horrible film'"), kUsage, {"stray word -horrible film", "stand behind --"});
  expect_failure(lockstep(base + " good --formt jsonl"), kUsage, {"--formt; did you mean --format?"});
  EXPECT_THAT(lockstep(base + " -- '-horrible film'").output, HasSubstr("  -horrible film\n"));
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

TEST_F(Commands, PredictDoesNotTakeAReadThatFailsForTheEnd) {
  const std::string base = "predict --model_name_or_path " + run_folder();
  expect_failure(lockstep(base + " < " + world_->path("dataset")), kData,
                 {"standard input, line 1: cannot be read: Is a directory"});
  expect_failure(lockstep(base + " --file /proc/self/mem"), kData,
                 {"--file /proc/self/mem, line 1: cannot be read: Input/output error"});
}

/// This process's memory as a file: the text stands at the end of a page, behind which nothing can be read.
TEST_F(Commands, PredictLabelsWhatItReadBeforeAReadFailed) {
  const std::string text = "a good film\na bad film\nhal";
  const auto page = static_cast<size_t>(getpagesize());
  auto* pages = static_cast<char*>(mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(pages, MAP_FAILED);
  char* start = pages + page - text.size();
  std::ranges::copy(text, start);
  ASSERT_EQ(munmap(pages + page, page), 0);
  const int memory = open("/proc/self/mem", O_RDONLY);
  ASSERT_GE(lseek(memory, reinterpret_cast<off_t>(start), SEEK_SET), 0);
  const Outcome outcome = lockstep("predict --model_name_or_path " + run_folder() + " <&" + std::to_string(memory));
  close(memory);
  munmap(pages, page);
  expect_failure(outcome, kData,
                 {"  a good film\n", "  a bad film\n", "standard input, line 3: cannot be read: Input/output error"});
  EXPECT_THAT(outcome.output, Not(HasSubstr("  hal\n")));
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

TEST_F(Commands, AModelWithOneLabelIsAModelToTrainFromOnly) {
  const std::string folder = copy_of(run_folder(), world_->path("scores"));
  give_labels(folder, {"score"});
  const std::string model_and_data = " --model_name_or_path " + folder + " --dataset " + world_->dataset_folder();
  expect_failure(lockstep("predict --model_name_or_path " + folder + " text"), kContract,
                 {folder + "/config.json has one label", "not a classifier"});
  expect_failure(lockstep("evaluate" + model_and_data), kContract, {"the model has 1 label and the data set 2"});
  const Outcome trained = lockstep("train" + model_and_data + " --output_dir " + world_->path("from_scores") +
                                   " --max_steps 1 --max_seq_length 48");
  EXPECT_EQ(trained.exit_code, kDone) << trained.output;
}

TEST_F(Commands, AClassifierForOtherLabelsThanConfigJsonNamesIsShownWithBothNumbers) {
  const std::string folder = copy_of(run_folder(), world_->path("three_classes"));
  give_labels(folder, {"bad", "fair", "good"});
  change_config(folder, {{"id2label", nullptr}});
  const std::string words = folder +
                            "/model.safetensors: tensor \"classifier.weight\" has shape [3, 32], config.json says 2 "
                            "labels; its id2label has to name each";
  expect_failure(lockstep("predict --model_name_or_path " + folder + " text"), kContract, {words});
  expect_failure(lockstep("evaluate --model_name_or_path " + folder + " --dataset " + world_->dataset_folder() +
                          " --max_seq_length 48"),
                 kContract, {words});
}

TEST_F(Commands, ABertThatWasFineTunedIsAModelToTrainFromOnly) {
  const std::string folder = copy_of(world_->model_folder(), world_->path("bert"));
  model::DistilBert encoder(tests::TinyWorld::config(), "cpu");
  encoder.initialize(7, false);
  tests::write_bert_classifier(encoder, folder);
  const std::string model_and_data =
      " --model_name_or_path " + folder + " --dataset " + world_->dataset_folder() + " --max_seq_length 48";
  const std::string words = folder + ": the classifier of a BERT cannot be used here";
  expect_failure(lockstep("predict --model_name_or_path " + folder + " text"), kContract, {words, "train a new one"});
  expect_failure(lockstep("evaluate" + model_and_data), kContract, {words});
  const Outcome trained =
      lockstep("train" + model_and_data + " --max_steps 1 --output_dir " + world_->path("from_bert"));
  EXPECT_EQ(trained.exit_code, kDone) << trained.output;
  EXPECT_THAT(trained.output, HasSubstr("warning: the model's own classifier is not used"));
}

/// With that "dim" there are more parameters than a machine has addresses.
TEST_F(Commands, WhatConfigJsonAsksForIsComparedWithTheWeightsBeforeMemoryIsTaken) {
  const std::string folder = copy_of(run_folder(), world_->path("vast"));
  change_config(folder, {{"dim", 1 << 24}});
  const std::string data = " --dataset " + world_->dataset_folder() + " --max_seq_length 48";
  for (const std::string& command :
       {std::string("predict text"), "evaluate" + data, "train" + data + " --output_dir " + world_->path("none")})
    expect_failure(lockstep(command + " --model_name_or_path " + folder), kContract,
                   {"tensor \"classifier.weight\" has shape [2, 32], config.json says [2, 16777216]"});
}

TEST_F(Commands, PredictAsJsonWantsANameForEachLabel) {
  const std::string folder = copy_of(run_folder(), world_->path("same_names"));
  give_labels(folder, {"same", "other", "same"});
  const std::string predict = "predict text --model_name_or_path " + folder;
  expect_failure(lockstep(predict + " --format jsonl"), kContract, {"labels 0 and 2 are both \"same\"", "in id2label"});
  EXPECT_EQ(lockstep(predict).exit_code, kDone);
}

/// Where each score looks through those before it, it takes some minutes.
TEST_F(Commands, PredictWritesTheScoresOfAsManyLabelsAsThereMayBe) {
  const std::string folder = copy_of(run_folder(), world_->path("many_labels"));
  std::vector<std::string> labels;
  for (int64_t label = 0; label < model::kMostLabels; ++label)
    labels.push_back("label " + std::to_string(label));
  give_labels(folder, labels);
  std::ofstream texts(world_->path("many_texts.txt"));
  for (int text = 0; text < 16; ++text)
    texts << "a good film\n";
  texts.close();
  const Outcome outcome = tests::run("timeout 60 " + tests::environment("LOCKSTEP_BINARY") +
                                     " predict --format jsonl --model_name_or_path " + folder + " --file " +
                                     world_->path("many_texts.txt") + " | tail -1");
  const auto last = nlohmann::json::parse(outcome.output);
  EXPECT_EQ(std::ssize(last["scores"]), model::kMostLabels);
}

TEST_F(Commands, PredictShowsControlCharactersInsteadOfSendingThem) {
  const Outcome outcome =
      lockstep("predict --model_name_or_path " + run_folder() + " \"$(printf 'red \\033[31m text')\"");
  EXPECT_THAT(outcome.output, HasSubstr("red \\x1b[31m text"));
}

}  // namespace
}  // namespace lockstep
