// prepare and train as a user runs them, and what they refuse.
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
using tests::mpirun;
using tests::Outcome;

TEST_F(Commands, TwoRanksTrainAndSayWhatTheyDo) {
  EXPECT_EQ(trained_->exit_code, 0) << trained_->output;
  for (const char* line :
       {"***** Running training *****", "Total train batch size (w. parallel, distributed & accumulation) = 8",
        "Ranks = 2", "smoke corpus", "chosen on the test split", "epoch 1.00", "predicted"})
    EXPECT_THAT(trained_->output, HasSubstr(line));
}

TEST_F(Commands, TwoRanksTrainInBFloat16AndSayInWhatGradientsTravel) {
  const Outcome outcome = mpirun(2, train_arguments("bf16") + " --bf16 --ddp_comm_hook bf16");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("gradients over MPI (host memory), rounded to bf16"));
  EXPECT_THAT(outcome.output, HasSubstr("Mixed precision = bf16"));
  EXPECT_THAT(tests::read_file(world_->path("bf16") + "/README.md"), HasSubstr("mixed_precision_training: bf16"));
}

TEST_F(Commands, VerifyLooksAtEveryShardOfADataSet) {
  const Outcome whole = lockstep("verify " + world_->dataset_folder());
  EXPECT_EQ(whole.exit_code, 0) << whole.output;
  EXPECT_THAT(whole.output,
              testing::ContainsRegex("test +[0-9]+ examples, [0-9]+ tokens, [0-9]+ shards, .* MB: valid"));
  const std::filesystem::path copy = world_->path("damaged_dataset");
  std::filesystem::copy(world_->dataset_folder(), copy);
  const std::filesystem::path cut = copy / data::load_manifest(copy).splits.at("train").shards.at(0).file;
  std::filesystem::resize_file(cut, std::filesystem::file_size(cut) - 1);
  expect_failure(lockstep("verify " + copy.string()), kData,
                 {cut.string() + ": has ", "the manifest says", "1 DAMAGED", "damaged: 1 of "});
  std::filesystem::resize_file(copy / "dataset.json", 10);
  expect_failure(lockstep("verify " + copy.string()), kData, {"dataset.json"});
}

TEST_F(Commands, AValueOfTheWrongKindIsShownWithTheRightOne) {
  expect_failure(lockstep("train --learning_rate fast"), kUsage,
                 {"--learning_rate: found \"fast\", expected a number"});
  expect_failure(lockstep("train --max_steps 1.5"), kUsage, {"--max_steps: found \"1.5\", expected a whole number"});
}

TEST_F(Commands, NcclBetweenCpusIsRefusedBeforeAnythingIsWritten) {
  expect_failure(mpirun(2, train_arguments("nccl") + " --device cpu --ddp_backend nccl"), kContract,
                 {"--ddp_backend nccl moves gradients between GPUs"});
  EXPECT_FALSE(std::filesystem::exists(world_->path("nccl")));
}

TEST_F(Commands, TheRunFolderHoldsModelCardAndRecords) {
  for (const char* file : {"config.json", "model.safetensors", "vocab.txt", "tokenizer.json", "tokenizer_config.json",
                           "special_tokens_map.json", "trainer_state.json", "all_results.json", "train_results.json",
                           "eval_results.json", "README.md", "metrics.jsonl", "train.log", "train_config.toml"})
    EXPECT_TRUE(std::filesystem::exists(run_folder() + "/" + file)) << file;
  for (const auto& entry : std::filesystem::directory_iterator(run_folder()))
    EXPECT_FALSE(entry.path().filename().string().starts_with(".")) << entry.path();
  const auto state = nlohmann::json::parse(tests::read_file(run_folder() + "/trainer_state.json"));
  EXPECT_EQ(state["global_step"], state["max_steps"]);
}

TEST_F(Commands, RanksSayForHowLongTheyStoodStillForGradients) {
  EXPECT_THAT(trained_->output, HasSubstr("communication exposed: "));
  const std::string metrics = tests::read_file(run_folder() + "/metrics.jsonl");
  const auto first = nlohmann::json::parse(metrics.substr(0, metrics.find('\n')));
  EXPECT_GT(first["exposed_communication_s"], 0) << first;
  EXPECT_GT(first["exposed_communication"], 0) << first;
  EXPECT_THAT(trained_->output, HasSubstr("TFLOP/s, communication exposed "));
  EXPECT_GT(first["network_s"], 0) << first;
  EXPECT_LE(first["network_s"], first["exposed_communication_s"]) << first;
  EXPECT_EQ(first["rank_seconds"].size(), 2U) << first;
}

TEST_F(Commands, ARankThatKeepsTheOthersWaitingIsNamed) {
  setenv("LOCKSTEP_FAILPOINT", "step:1:1:lag", 1);  // 0.2 s in each step
  const Outcome outcome = mpirun(2, train_arguments("slow") + " --max_steps 20");
  unsetenv("LOCKSTEP_FAILPOINT");
  EXPECT_EQ(outcome.exit_code, kDone) << outcome.output;
  EXPECT_THAT(outcome.output,
              testing::ContainsRegex("rank 1 .[^)]+. keeps the others waiting: it takes 2[0-9][0-9] ms"));
}

TEST_F(Commands, StartedByTorchrunTrainNamesItsOwnLauncher) {
  expect_failure(tests::run("LOCAL_RANK=0 WORLD_SIZE=4 " + tests::environment("LOCKSTEP_BINARY") + " " +
                            train_arguments("torchrun")),
                 kUsage, {"started by torchrun", "lockstep launch -n 4 -- train ..."});
  EXPECT_EQ(tests::run("LOCAL_RANK=0 WORLD_SIZE=4 " + tests::environment("LOCKSTEP_BINARY") + " launch -n 1 -- " +
                       train_arguments("in_torchrun") + " --max_steps 1")
                .exit_code,
            0);
}

TEST_F(Commands, PrepareTakesTrainsNamesAndListsCountsByLabel) {
  std::ofstream(world_->path("names.csv")) << "text,label\nfine,1\nbad,0\ngood,1\n";
  const Outcome outcome =
      lockstep("prepare --train_file " + world_->path("names.csv") + " --model_name_or_path " + world_->model_folder() +
               " --output_dir " + world_->path("names") + " --max_seq_length 48 --overwrite_output_dir");
  EXPECT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("3 examples (0: 1, 1: 2)"));
}

TEST_F(Commands, AFileIsNoOutputFolder) {
  const std::string file = world_->path("a_file");
  std::ofstream(file + ".csv") << "text,label\nfine,1\nbad,0\n";
  const std::string prepare = "prepare --train_file " + file + ".csv --model " + world_->model_folder() + " --output ";
  for (const char* below : {"", "/below"})
    expect_failure(lockstep(prepare + file + ".csv" + below), kContract, {file + ".csv is a file", "name a folder"});
}

TEST_F(Commands, OutputThatCannotBeWrittenIsAFailure) {
  const std::string model = "--model_name_or_path " + run_folder();
  for (const std::string& command :
       {std::string("--help"), "list " + run_folder(), "predict " + model + " text",
        "evaluate " + model + " --dataset " + world_->dataset_folder() + " --max_seq_length 48"})
    for (const char* nowhere : {" 1>/dev/full", " 1>&-"})
      expect_failure(lockstep(command + nowhere), kStorage, {"cannot write standard output"});
}

TEST_F(Commands, ASecondRunDoesNotOverwriteTheFirst) {
  expect_failure(mpirun(2, train_arguments("run")), kContract, {"already holds a model", "--overwrite_output_dir"});
}

TEST_F(Commands, TheLogHoldsTheResultsTable) {
  const std::string log = tests::read_file(run_folder() + "/train.log");
  for (const char* part : {"train loss", "Delivered: epoch", "predicted", "the model is in"})
    EXPECT_THAT(log, HasSubstr(part));
}

TEST_F(Commands, ReplacingARunLeavesNoFiguresOfTheEarlierOne) {
  ASSERT_EQ(lockstep(train_arguments("again") + " --max_steps 1 --eval_strategy epoch").exit_code, 0);
  ASSERT_TRUE(std::filesystem::exists(world_->path("again/eval_results.json")));
  ASSERT_EQ(lockstep(train_arguments("again") + " --max_steps 1 --overwrite_output_dir").exit_code, 0);
  EXPECT_FALSE(std::filesystem::exists(world_->path("again/eval_results.json")));
  EXPECT_THAT(tests::read_file(world_->path("again/all_results.json")), Not(HasSubstr("eval_loss")));
  for (const char* file : {"again/metrics.jsonl", "again/train.log"})
    EXPECT_THAT(tests::read_file(world_->path(file)), Not(HasSubstr("exposed"))) << "one rank has nothing to wait for";
}

TEST_F(Commands, TwoRunsDoNotShareAFolder) {
  const std::string folder = world_->path("shared");
  std::filesystem::create_directories(folder);
  expect_failure(tests::run("flock -x " + folder + "/train.log " + tests::environment("LOCKSTEP_BINARY") + " " +
                            train_arguments("shared")),
                 kLocked, {"another run is writing into it"});
}

TEST_F(Commands, UnknownOptionsAreListedOnceEvenWithSeveralRanks) {
  const Outcome outcome = mpirun(3, train_arguments("x") + " --lerning_rate 1 --sede 3");
  expect_failure(outcome, kUsage, {"--lerning_rate; did you mean --learning_rate?", "--sede; did you mean --seed?"});
  EXPECT_EQ(outcome.output.find("--lerning_rate"), outcome.output.rfind("--lerning_rate"))
      << "printed by more than one rank";
}

TEST_F(Commands, RanksStartedWithDifferentOptionsAreRefused) {
  const std::string binary = tests::environment("LOCKSTEP_BINARY");
  const Outcome outcome =
      tests::run("mpirun --allow-run-as-root --oversubscribe --bind-to none -np 1 " + binary + " " +
                 train_arguments("x") + " : -np 1 " + binary + " " + train_arguments("x") + " --seed 43");
  expect_failure(outcome, kContract, {"seed"});
}

TEST_F(Commands, ADamagedShardIsNamedAndNothingIsWritten) {
  const std::string damaged = world_->path("damaged");
  std::filesystem::copy(world_->dataset_folder(), damaged);
  const std::string shard = tests::run("ls " + damaged + "/train*.h5 | head -1").output;
  const std::string path = shard.substr(0, shard.find('\n'));
  tests::run("printf X | dd of=" + path + " bs=1 seek=100 conv=notrunc");
  const Outcome outcome = mpirun(2, "train --model_name_or_path " + world_->model_folder() + " --dataset " + damaged +
                                        " --output_dir " + world_->path("none") + " --max_seq_length 48");
  expect_failure(outcome, kData, {std::filesystem::path(path).filename().string(), "sha256"});
  EXPECT_FALSE(std::filesystem::exists(world_->path("none")));
}

TEST_F(Commands, AnotherModelsVocabularyIsRefused) {
  const std::string other = world_->path("other_model");
  std::filesystem::copy(world_->model_folder(), other);
  std::ofstream(other + "/vocab.txt", std::ios::app) << "extra\n";
  expect_failure(lockstep("train --model_name_or_path " + other + " --dataset " + world_->dataset_folder() +
                          " --output_dir " + world_->path("none")),
                 kContract, {"vocabulary", "prepare the data set again"});
}

TEST_F(Commands, DamagedWeightsAreNamed) {
  const std::string cut = world_->path("cut_model");
  std::filesystem::copy(world_->model_folder(), cut);
  std::filesystem::resize_file(cut + "/model.safetensors", 2000);
  expect_failure(lockstep("predict --model_name_or_path " + cut + " text"), kData, {"model.safetensors"});
}

TEST_F(Commands, SequencesLongerThanThePositionsAreRefusedWithTheRemedy) {
  const Outcome prepared = lockstep("prepare --imdb " + tests::environment("LOCKSTEP_SOURCE") +
                                    "/tests/fixtures/smoke/aclImdb --name smoke --model " + world_->model_folder() +
                                    " --output " + world_->path("long"));
  ASSERT_EQ(prepared.exit_code, 0) << prepared.output;
  const std::string train = "train --model_name_or_path " + world_->model_folder() + " --dataset " +
                            world_->path("long") + " --max_steps 1 --output_dir ";
  expect_failure(lockstep(train + world_->path("none")), kContract, {"--max_seq_length 64"});
  EXPECT_EQ(lockstep(train + world_->path("cut") + " --max_seq_length 64").exit_code, 0);
}

TEST_F(Commands, AModelThatIsNotThereIsExplained) {
  expect_failure(lockstep("train --model_name_or_path some/model --dataset " + world_->dataset_folder()), kContract,
                 {"some/model", "hf download"});
}

TEST_F(Commands, MoreThanTwoClassesAreMeasuredByMacroMeans) {
  std::ofstream csv(world_->path("three.csv"));
  csv << "review,stars\n";
  for (int i = 0; i < 30; ++i)
    csv << "\"text number " << std::string(static_cast<size_t>(i % 3 + 1), 'a') << "\"," << i % 3 + 1 << "\n";
  csv.close();
  const Outcome prepared = lockstep("prepare --train_file " + world_->path("three.csv") +
                                    " --validation_fraction 0.2 --text_column review --label_column stars --model " +
                                    world_->model_folder() + " --output " + world_->path("three") + " --max_length 48");
  ASSERT_EQ(prepared.exit_code, 0) << prepared.output;
  const Outcome outcome = mpirun(2, "train --model_name_or_path " + world_->model_folder() + " --dataset " +
                                        world_->path("three") + " --output_dir " + world_->path("three_run") +
                                        " --eval_strategy epoch --num_train_epochs 1 --max_seq_length 48");
  ASSERT_EQ(outcome.exit_code, 0) << outcome.output;
  EXPECT_THAT(outcome.output, HasSubstr("validation"));
  const auto config = nlohmann::json::parse(tests::read_file(world_->path("three_run") + "/config.json"));
  EXPECT_EQ(config["id2label"]["2"], "3");
}

TEST_F(Commands, AMissingColumnIsNamedWithTheOnesFound) {
  std::ofstream(world_->path("columns.csv")) << "revue,stars\nfine,1\nbad,0\n";
  expect_failure(lockstep("prepare --train_file " + world_->path("columns.csv") +
                          " --text_column review --label_column stars --model " + world_->model_folder() +
                          " --output " + world_->path("none")),
                 kContract, {"review", "revue"});
}

TEST_F(Commands, DivergenceEndsTheRunWithItsOwnCode) {
  const Outcome outcome = mpirun(2, "train " + model_and_data() + " --output_dir " + world_->path("nan") +
                                        " --max_seq_length 48 --learning_rate 1e30");
  expect_failure(outcome, kNumeric,
                 {"step ", "withheld", "nothing was saved: --eval_strategy epoch or --save_strategy"});
}

TEST_F(Commands, AnOutputFolderThatCannotBeMadeIsNamedWithItsOwnCode) {
  const Outcome outcome = lockstep("train " + model_and_data() + " --output_dir /proc/lockstep --max_seq_length 48");
  expect_failure(outcome, kStorage, {"--output_dir /proc/lockstep cannot be made: No such file"});
}

TEST_F(Commands, AProfileOfARunWithoutASecondStepIsToldAsEmpty) {
  const Outcome outcome = lockstep(train_arguments("short") + " --max_steps 1 --profile 3");
  EXPECT_EQ(outcome.exit_code, 0);
  EXPECT_THAT(outcome.output, HasSubstr("the run had no second step"));
}

}  // namespace
}  // namespace lockstep
