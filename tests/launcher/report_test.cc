#include "launcher/train/model_card.h"
#include "launcher/train/run_report.h"

#include <gtest/gtest.h>

#include <fstream>

#include "data/error.h"
#include "launcher/errors.h"
#include "launcher/format.h"
#include "launcher/job/progress.h"
#include "launcher/train/results_table.h"
#include "tests/support/process.h"
#include "tests/support/records.h"

namespace lockstep {
namespace {

EvalResult result_of_counts(double loss, int64_t tn, int64_t fp, int64_t fn, int64_t tp) {
  EvalCounts counts{0, model::ConfusionMatrix(2)};
  const int64_t cells[] = {tn, fp, fn, tp};
  for (int64_t cell = 0; cell < std::ssize(cells); ++cell)
    counts.confusion.add_to(cell, cells[cell]);
  counts.loss_sum = loss * static_cast<double>(tn + fp + fn + tp);
  return result_of(counts, 2.0);
}

TEST(Counts, OfOneAreSingular) {
  EXPECT_EQ(counted(1, "step"), "1 step");
  EXPECT_EQ(counted(0, "step"), "0 steps");
}

TEST(ProgressLine, IsCutToTheTerminalByCharactersNotBytes) {
  EXPECT_EQ(fitted("abc", 3), "abc");
  EXPECT_EQ(fitted("abcd", 3), "abc");
  EXPECT_EQ(fitted("\u2501\u2501\u2500\u2500", 3), "\u2501\u2501\u2500");
}

TEST(ProgressLine, LosesWholePartsAndNotTheLastDigitsOfANumber) {
  EXPECT_EQ(fitted("10 % | loss 0.5 | epoch 0.05", 28), "10 % | loss 0.5 | epoch 0.05");
  EXPECT_EQ(fitted("10 % | loss 0.5 | epoch 0.05", 27), "10 % | loss 0.5");
  EXPECT_EQ(fitted("10 % | loss 0.5 | epoch 0.05", 15), "10 % | loss 0.5");
  EXPECT_EQ(fitted("10 % | loss 0.5 | epoch 0.05", 14), "10 %");
}

ProgressMoment moment_of_a_training() {
  return {
      .what = "training",
      .unit = "steps",
      .total = 564,
      .done = 188,
      .seconds = 123,
      .details = {.full = "loss 0.4790 | epoch 1.00/3 | 24.47 examples/s, 5082 tokens/s, 0.305 TFLOP/s | lr 3.33e-05",
                  .narrow = "epoch 1.00/3 | loss 0.4790 | 24.5 ex/s | lr 3.3e-05"}};
}

TEST(ProgressLine, HasItsBarWhereThereIsRoom) {
  EXPECT_EQ(
      progress_bar(moment_of_a_training(), 160),
      "training \u2501\u2501\u2501\u2500\u2500\u2500\u2500\u2500\u2500\u2500  33% 188/564 steps | 02:03 < 04:06 | loss "
      "0.4790 | epoch 1.00/3 | 24.47 examples/s, 5082 tokens/s, 0.305 TFLOP/s | lr 3.33e-05");
}

TEST(ProgressLine, OfATrainingShowsStepTimeEpochLossSpeedAndRateIn80Columns) {
  EXPECT_EQ(progress_bar(moment_of_a_training(), 79),
            "188/564 | 02:03 < 04:06 | epoch 1.00/3 | loss 0.4790 | 24.5 ex/s | lr 3.3e-05");
}

TEST(ProgressLine, LosesItsLastPartsOnlyWhereEvenTheNarrowFormIsTooLong) {
  EXPECT_EQ(progress_bar(moment_of_a_training(), 60), "188/564 | 02:03 < 04:06 | epoch 1.00/3 | loss 0.4790");
}

TEST(ProgressLine, WithoutANarrowFormKeepsItsBar) {
  const ProgressMoment moment{.what = "test", .unit = "texts", .total = 4, .done = 4, .seconds = 1, .details = {}};
  EXPECT_EQ(progress_bar(moment, 30),
            "test \u2501\u2501\u2501\u2501\u2501\u2501\u2501\u2501\u2501\u2501 100% 4/4 texts");
}

model::ConfusionMatrix matrix_of_many_classes() {
  model::ConfusionMatrix matrix(150);
  for (int64_t label = 0; label < 150; ++label)
    matrix.add_to(151 * label, 30);
  matrix.add_to(3, 2);          // 0 as 3
  matrix.add_to(149 * 150, 5);  // 149 as 0
  return matrix;
}

TEST(Counted, OneIsSingular) {
  EXPECT_EQ(counted(1, "shard") + ", " + counted(2, "shard") + ", " + counted(0, "shard"),
            "1 shard, 2 shards, 0 shards");
}

TEST(ConfusionTable, OfManyClassesNamesTheMostFrequentConfusions) {
  std::vector<std::string> labels;
  for (int i = 0; i < 150; ++i)
    labels.push_back(formatted("l%d", i));
  EXPECT_EQ(confusion_table(matrix_of_many_classes(), labels),
            "most frequent confusions of 150 classes, true as predicted:\n     5  l149 as l0\n     2  l0 as l3\n");
}

TEST(ConfusionTable, OfLongNamesStaysWithinATerminal) {
  model::ConfusionMatrix matrix(3);
  matrix.add_to(1, 4);
  const std::vector<std::string> labels = {std::string(40, 'a'), "b", "c"};
  EXPECT_EQ(confusion_table(matrix, labels),
            "most frequent confusions of 3 classes, true as predicted:\n     4  " + labels[0] + " as b\n");
}

/// A checkpoint holds all evaluations.
TEST(History, OfAnEvaluationOfManyClassesIsShort) {
  RunHistory history({}), restored({});
  EvalRecord record{1, 1.0, 0.5, EvalResult{0.1, matrix_of_many_classes(), {}, 1.0}};
  record.result.metrics = model::metrics_of(record.result.confusion);
  history.add(record);
  EXPECT_LT(history.records().size(), 3000);
  restored.restore(history.records());
  EXPECT_EQ(restored.evaluations().front().result.confusion, record.result.confusion);
}

TEST(History, OfACheckpointThatHasAllCellsIsRead) {
  RunHistory history({}), restored({});
  history.add(EvalRecord{1, 1.0, 0.5, result_of_counts(0.1, 131, 0, 17, 133)});
  nlohmann::json record = nlohmann::json::parse(history.records());
  record["confusion"] = {131, 0, 17, 133};
  restored.restore(record.dump() + "\n");
  EXPECT_EQ(restored.records(), history.records());
}

/// What is wrong with a line of evaluation, the second of a history, that was changed at `key`.
std::string problem_with_changed(const char* key, const nlohmann::json& value) {
  RunHistory history({}), restored({});
  history.add(TrainRecord{.step = 1});
  history.add(EvalRecord{1, 1.0, 0.5, result_of_counts(0.1, 131, 0, 17, 133)});
  std::vector<nlohmann::json> records = tests::records_of(history.records());
  records[1][key] = value;
  try {
    restored.restore(records[0].dump() + "\n" + records[1].dump() + "\n");
  } catch (const data::DataError& error) {
    EXPECT_EQ(restored.records(), "");
    return error.what();
  }
  return "";
}

TEST(History, ThatCountsWhatCannotBeIsRefusedWithItsLine) {
  const std::string line = "history.jsonl, line 2: ";
  EXPECT_EQ(problem_with_changed("classes", 3), "");
  for (const int64_t classes : {int64_t{1} << 62, int64_t{1'000'000'000}, int64_t{65537}, int64_t{0}, int64_t{-1}})
    EXPECT_EQ(problem_with_changed("classes", classes),
              line + "classes is " + std::to_string(classes) + ", expected an integer from 1 to 65536");
  for (const nlohmann::json& cells : {nlohmann::json{{0, -1}, {1, 1}}, nlohmann::json{-1, 1}})
    EXPECT_EQ(problem_with_changed("confusion", cells).find(line + "a count in confusion is -1, expected"), 0);
  for (const nlohmann::json& cells : {nlohmann::json{{4, 1}, {1, 1}}, nlohmann::json{{-1, 1}, {1, 1}}})
    EXPECT_EQ(problem_with_changed("confusion", cells).find(line + "a place in confusion is "), 0);
  EXPECT_EQ(problem_with_changed("confusion", {1, 1, 1, 1, 1}).find(line + "found cell 4 of"), 0);
  EXPECT_EQ(problem_with_changed("step", 1e300).find(line + "step is 1e+300, expected an integer"), 0);
  EXPECT_EQ(problem_with_changed("loss", "low").find(line), 0);
}

TEST(History, WhoseCountsAddUpToMoreThanCanBeIsRefused) {
  const int64_t most = int64_t{1} << 48;
  EXPECT_EQ(problem_with_changed("confusion", {{0, most - 1}, {3, 1}}), "");
  EXPECT_NE(problem_with_changed("confusion", {{0, most - 1}, {3, 2}}), "");
}

/// A run of two epochs whose first was the better one.
class Report : public testing::Test {
 protected:
  Report() {
    report_.options.global_batch_size = 16;
    report_.options.output_dir = "runs/mine";
    report_.options.load_best_model_at_end = true;
    report_.plan = make_run_plan(report_.options, 3000, 2);
    report_.base_model = "some-base";
    report_.dataset_name = "imdb";
    report_.eval_split = "test";
    report_.eval_examples = 300;
    report_.world_size = 2;
    report_.device = "cpu";
    for (const auto& [epoch, loss] : {std::pair{1, 0.29}, {2, 0.33}}) {
      history_.add(TrainRecord{188 * epoch, static_cast<double>(epoch), 0.5 / epoch, 1.5, 1e-5});
      const EvalRecord record{188 * epoch, static_cast<double>(epoch), 0.5 / epoch,
                              result_of_counts(loss, 131, 19, 17, 133)};
      history_.add(record);
      summary_.best.observe(record.result, record.step, record.epoch);
    }
    summary_.steps = 376;
    summary_.train_seconds = 60;
    summary_.per_second = {100, 27000, 1e12};
  }

  RunReport report_;
  RunHistory history_{{}};
  TrainSummary summary_;
};

TEST_F(Report, TheCardShowsTheDeliveredEpoch) {
  const std::string card = model_card(report_, history_, summary_);
  for (const char* part :
       {"model-index:", "- Loss: 0.2900", "value: 0.8800", "# mine",
        "fine-tuned version of some-base on the imdb dataset", "| Training Loss | Epoch | Step | Validation Loss |",
        "| 0.5000 | 1.0 | 188 | 0.2900 |", "datasets:\n- \"imdb\"", "- num_devices: 2", "- train_batch_size: 8",
        "- total_train_batch_size: 16", "chosen on the test split"})
    EXPECT_NE(card.find(part), std::string::npos) << part << "\n" << card;
  EXPECT_EQ(card.find("No log"), std::string::npos);
}

TEST_F(Report, TrainerStateHasHuggingFacesKeys) {
  const nlohmann::json state = trainer_state_json(report_, history_, summary_);
  EXPECT_EQ(state["global_step"], 376);
  EXPECT_EQ(state["best_global_step"], 188);
  EXPECT_EQ(state["best_metric"], 0.29);
  ASSERT_EQ(state["log_history"].size(), 5u);
  EXPECT_EQ(state["log_history"][0]["loss"], 0.5);
  EXPECT_EQ(state["log_history"][1]["eval_loss"], 0.29);
  EXPECT_EQ(state["log_history"][4]["train_runtime"], 60.0);
}

TEST_F(Report, TrainerStateNamesTheBestModelsCheckpointIfThereIsOne) {
  const tests::TemporaryFolder run;
  report_.options.output_dir = run.path();
  const auto named = [&](const nlohmann::json& state) { return state["best_model_checkpoint"]; };
  EXPECT_TRUE(named(trainer_state_json(report_, history_, summary_)).is_null());
  EXPECT_TRUE(named(interim_trainer_state_json(report_, history_, summary_)).is_null());
  summary_.steps = summary_.best.step();  // the checkpoint that this is written for
  EXPECT_EQ(named(interim_trainer_state_json(report_, history_, summary_)), run / "checkpoint-188");
  EXPECT_TRUE(named(trainer_state_json(report_, history_, summary_)).is_null()) << "it could not be written";
  std::filesystem::create_directory(run / "checkpoint-188");
  EXPECT_EQ(named(trainer_state_json(report_, history_, summary_)), run / "checkpoint-188");
}

TEST_F(Report, AllResultsDescribeTheDeliveredModel) {
  const nlohmann::json results = all_results_json(report_, history_, summary_);
  EXPECT_EQ(results["eval_loss"], 0.29);
  EXPECT_EQ(results["eval_accuracy"], 0.88);
  EXPECT_EQ(results["train_samples"], 3000);
}

TEST_F(Report, TheTableMarksTheBestAndShowsPublishedValuesBeside) {
  const std::string table =
      results_table("heading", history_.evaluations(), 188, {{2, {0.2896, 0.8750, 0.8867, 0.8808, 0.8800}}});
  EXPECT_NE(table.find("*  1.00     188"), std::string::npos) << table;
  EXPECT_NE(table.find("0.2896    0.8750    0.8867    0.8808    0.8800"), std::string::npos) << table;
}

class FullDisk : public Report {
 protected:
  /// Whose first record, of step 20, the disk did not take.
  RunHistory behind() const {
    RunHistory history(folder_.path());
    std::filesystem::remove(file_);
    std::filesystem::create_symlink("/dev/full", file_);
    history.add(TrainRecord{20, 0.1, 0.69314, 2.5, 1e-5});
    std::filesystem::remove(file_);
    return history;
  }
  tests::TemporaryFolder folder_;
  const std::filesystem::path file_ = folder_ / "metrics.jsonl";
};

TEST_F(FullDisk, WhatItDidNotTakeOfTheHistoryFollowsLater) {
  RunHistory history = behind();
  history.add(TrainRecord{40, 0.2, 0.69314, 2.5, 1e-5});
  history.add(TrainRecord{60, 0.3, 0.69314, 2.5, 1e-5});
  const auto records = tests::records_of(tests::read_file(file_));
  ASSERT_EQ(records.size(), 3);
  EXPECT_EQ(records[0]["step"], 20);
}

TEST_F(FullDisk, WhatItDidNotTakeOfTheLastRecordIsWrittenAtTheEnd) {
  behind().catch_up();
  EXPECT_EQ(nlohmann::json::parse(tests::read_file(file_))["step"], 20);
}

TEST_F(Report, HistoryIsWrittenThroughAsItComes) {
  const tests::TemporaryFolder folder;
  RunHistory history(folder.path());
  history.add(TrainRecord{20, 0.1, 0.69314, 2.5, 1e-5});
  const auto line = nlohmann::json::parse(tests::read_file(folder / "metrics.jsonl"));
  EXPECT_EQ(line["loss"], 0.6931);
  EXPECT_EQ(line["step"], 20);
  EXPECT_FALSE(line.contains("exposed_communication_s"));
  EXPECT_FALSE(line.contains("network_s"));
  history.add(TrainRecord{
      40, 0.2, 0.69314, 2.5, 1e-5, {5.5, 1512.5, 0.25e12, 0.125, 0.0625}, 0.0123456789, {0.25, 0.125}, 0.0012345678});
  EXPECT_EQ(history.log()[1]["samples_per_second"], 5.5);
  EXPECT_EQ(history.log()[1]["tokens_per_second"], 1512.5);
  EXPECT_EQ(history.log()[1]["tflops"], 0.25);
  EXPECT_EQ(history.log()[1]["mfu"], 0.125);
  EXPECT_FALSE(line.contains("mfu"));
  EXPECT_EQ(history.log()[1]["exposed_communication_s"], 0.012346);
  EXPECT_EQ(history.log()[1]["exposed_communication"], 0.0625);
  EXPECT_EQ(history.log()[1]["network_s"], 0.001235);
  EXPECT_EQ(history.log()[1]["rank_seconds"], (std::vector<double>{0.25, 0.125}));
}

TEST_F(Report, AnEpochsRecordComesBackAsItWas) {
  const EpochRecord epoch{188, 1, 0.693147, 335.25, {8.96, 1860.5, 0.25e12, 0.125, 0.0461}};
  RunHistory history({}), restored({});
  history.add(epoch);
  restored.restore(history.records());
  EXPECT_EQ(restored.log(), history.log());
  EXPECT_EQ(restored.log()[0], nlohmann::json::parse(R"({"epoch": 1.0, "step": 188, "epoch_loss": 0.6931,
    "epoch_runtime": 335.25, "epoch_samples_per_second": 8.96, "epoch_tokens_per_second": 1860.5, "epoch_tflops": 0.25,
    "epoch_mfu": 0.125, "epoch_exposed_communication": 0.0461})"));
}

TEST(SpeedWords, TellThePeakAndTheCommunicationWhereThereAreSuch) {
  EXPECT_EQ(speed_words({8.961, 1860.4, 0.112e12}), "8.96 examples/s, 1860 tokens/s, 0.112 TFLOP/s");
  EXPECT_EQ(exposed_words({8.961, 1860.4, 0.112e12}), "");
  const Throughput gpus{900, 250000, 120e12, 0.343, 0.0461};
  EXPECT_EQ(speed_words(gpus), "900.00 examples/s, 250000 tokens/s, 120.000 TFLOP/s (34.3 % of the peak)");
  EXPECT_EQ(exposed_words(gpus), ", communication exposed 4.6 %");
}

TEST(PublishedResults, ABadLineIsNamed) {
  const tests::TemporaryFolder folder;
  std::ofstream(folder / "p.csv") << "epoch,loss,precision,recall,f1,accuracy\n1,0.3,x,0.8,0.8,0.8\n";
  try {
    read_published_results(folder / "p.csv");
    FAIL();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("p.csv, line 2: expected six numbers"), std::string::npos) << error.what();
  }
}

TEST(PublishedResults, TheReferenceTableHasFiveEpochs) {
  const auto results =
      read_published_results(tests::environment("LOCKSTEP_SOURCE") + "/configs/imdb_reference_published.csv");
  ASSERT_EQ(results.size(), 5u);
  EXPECT_EQ(results.at(2).loss, 0.2896);
}

}  // namespace
}  // namespace lockstep
