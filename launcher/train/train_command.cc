#include <algorithm>
#include <functional>
#include <optional>

#include "data/error.h"
#include "dist/error.h"
#include "dist/replica_check.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/commands.h"
#include "launcher/errors.h"
#include "launcher/failpoint.h"
#include "launcher/format.h"
#include "launcher/job/log.h"
#include "launcher/job/stop_request.h"
#include "launcher/model_folder.h"
#include "launcher/replicas.h"
#include "launcher/train/job_deadline.h"
#include "launcher/train/run_folder.h"
#include "launcher/train/run_report.h"
#include "launcher/train/train_checkpoints.h"
#include "launcher/train/train_inputs.h"
#include "launcher/train/train_words.h"
#include "model/compute.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

void require_equal_ranks(Job& job, const TrainInputs& in) {
  try {
    dist::require_equal_settings(job.control(), identity_of(in));
  } catch (const dist::CommunicationError& difference) {
    throw AgreedFailure(dist::Failure{0, kContract, difference.what()});
  }
}

void load_weights(model::DistilBert& model, const TrainInputs& in) {
  const model::LoadReport report = model::load_weights(model, in.model_folder, in.options.seed);
  if (report.folded_from_bert) log_info("a BERT encoder was folded into DistilBERT's architecture");
  if (report.leaves_bert_classifier())
    log_warning("the model's own classifier is not used: DistilBERT has no place for a BERT's; a new one is trained");
  if (!report.newly_initialized.empty())
    log_info(formatted("%zu tensors are newly initialized (the classifier); the training teaches them",
                       report.newly_initialized.size()));
}

/// Collective. Rank 0's weights to all.
void share_weights(Job& job, model::DistilBert& model) {
  if (job.world_size() == 1) return;
  std::vector<float> parameters(static_cast<size_t>(model.layout().size));
  if (job.is_main()) model.get_parameters(parameters);
  job.control().idle_barrier();  // rank 0 may read for a while
  job.control().broadcast(std::as_writable_bytes(std::span(parameters)), 0);
  model.set_parameters(parameters);
  require_equal_parameters(job, model, "parameters after the broadcast");
}

/// Collective. One replica per rank; without weights yet if a checkpoint will bring them.
model::DistilBert make_replicas(Job& job, const TrainInputs& in, bool from_checkpoint) {
  std::optional<model::DistilBert> model;
  job.together([&] {  // before any rank takes the memory that config.json asks for
    if (job.is_main() && !from_checkpoint) model::examine_weights(in.config, in.model_folder);
  });
  job.together([&] {
    model.emplace(in.config, in.device, in.options.bf16 ? model::Precision::kBFloat16 : model::Precision::kFloat32,
                  in.options.attn_implementation == "eager" ? model::GpuAttention::kPlain : model::GpuAttention::kAuto);
    if (job.is_main() && !from_checkpoint) load_weights(*model, in);
  });
  share_weights(job, *model);
  return std::move(*model);
}

/// A folder's own name, or the name as it was given: what tables and cards show of the base model.
std::string base_model_name(const std::string& name_or_path) {
  const fs::path path = fs::path(name_or_path).lexically_normal();
  if (!fs::is_directory(path)) return name_or_path;
  return path.has_filename() ? path.filename().string() : path.parent_path().filename().string();
}

RunReport report_of(const TrainInputs& in, const Job& job, const model::DistilBert& model) {
  return {in.options,
          in.plan,
          base_model_name(in.options.model_name_or_path),
          in.data.train.manifest().name,
          in.eval_split,
          static_cast<int64_t>(in.data.eval_examples.size()),
          job.world_size(),
          in.device,
          model.layout().size};
}

/// Never success, nor a promise to go on, without the checkpoint of the last step.
int exit_code_of(const TrainSummary& summary, bool delivers_best) {
  if (summary.saves.last_failed) return kStorage;
  if (summary.stopped_on_request) return kStopped;
  return delivers_best && summary.best.lost_step() >= 0 ? kStorage : kDone;
}

/// What the manifest's "training" and the records say is only looked at here.
void restore_counts(const StoredCheckpoint& start, const FlatState& state, Trainer& trainer) {
  const std::string history = history_of(start);
  const auto refuse = [&](const std::exception& error) {
    return CheckpointError(start.folder.string() + ": " + kHistoryName +
                           " or \"training\" in manifest.json does not fit this program: " + error.what());
  };
  try {
    trainer.restore(*start.manifest, state, history);
  } catch (const data::DataError& error) {
    throw refuse(error);
  } catch (const nlohmann::json::exception& error) {
    throw refuse(error);
  } catch (const std::invalid_argument& error) {  // a sum that is no number
    throw refuse(error);
  }
}

/// Collective. Model, optimizer, counts and log as the checkpoint has them.
void restore(Job& job, const TrainInputs& in, const StoredCheckpoint& start, const FolderOwner* owner,
             model::DistilBert& model, Trainer& trainer) {
  job.activity().phase("reading a checkpoint", dist::Pace::kOpen);
  const FlatState state = load_state(job, start, tensors_of(model.layout()));
  job.together([&] {
    restore_counts(start, state, trainer);
    if (!job.is_main() || !in.options.load_best_model_at_end || !trainer.has_best()) return;
    owner->change([&] {
      write_model_files(model, *in.tokenizer, in.options.output_dir, *owner);
      restore_best_model(start, in.options.output_dir);
    });
  });
  failpoint("restored");
}

/// Rank 0's, whose answer is everybody's: other hosts may not know, or have other clocks.
JobDeadline deadline_of(const Job& job, int64_t parameters) {
  constexpr double kStateBytes = 12, kSlowDisk = 50e6;  // of each parameter; a second
  return JobDeadline(job.is_main() ? end_of_slurm_job() : std::nullopt,
                     static_cast<double>(parameters) * kStateBytes / kSlowDisk, JobDeadline::Clock::now());
}

/// One training, from its options to what it delivers. The stages are collective, and run once, in the order in which
/// they stand here.
class TrainingRun {
 public:
  explicit TrainingRun(Job& job) : job_(job) {}

  void load(const std::vector<std::string>& arguments) {
    job_.together([&] { in_.options = parse_train_options(arguments, &in_.settings); });
    job_.watch(in_.options.hang_timeout);
    job_.activity().phase("loading", dist::Pace::kOpen);
    failpoint("loading");
    job_.together([&] { load_inputs(in_, job_); });
    failpoint("loaded");
    require_equal_ranks(job_, in_);
    model::set_compute_threads(in_.threads.per_rank);
  }

  void open_folder() {
    on_main([&] { folder_.emplace(in_); });
    failpoint("locked");
    if (folder_) owner_ = &folder_->owner();
    resume_ = find_start(job_, in_);
    require_room(job_, in_, resume_);
    on_main([&] { folder_->begin(resume_.checkpoint); });
    failpoint("begun");
  }

  void make_trainer() {
    model_.emplace(make_replicas(job_, in_, resume_.checkpoint.has_value()));
    failpoint("replicas-made");
    job_.connect_gradients(
        [&] { return make_gradient_communicator(in_.backend, job_.control(), model_->compute_stream()); });
    failpoint("connected");
    if (job_.is_main()) print_banner(in_, job_, *model_);
    history_.emplace(job_.is_main() ? fs::path(in_.options.output_dir) : fs::path(), owner_);
    trainer_.emplace(in_.options, in_.plan, in_.data, in_.threads, job_, *model_, *history_);
    if (resume_.checkpoint) restore(job_, in_, *resume_.checkpoint, owner_, *model_, *trainer_);
  }

  void prepare_saves() {
    deadline_.emplace(deadline_of(job_, model_->layout().size));
    if (in_.options.save_strategy == "no") return;
    saver_.emplace(job_, checkpoint_facts(job_, in_, model_->layout(), resume_, owner_));
    trainer_->save_with(*saver_, [&](const TrainSummary& summary) {
      deadline_->save_began(JobDeadline::Clock::now());
      return interim_trainer_state_json(report_of(in_, job_, *model_), *history_, summary).dump(2) + "\n";
    });
  }

  TrainSummary train() {
    const auto publish = [&] {
      owner_->change([&] { write_model_files(*model_, *in_.tokenizer, in_.options.output_dir, *owner_); });
    };
    const auto note_saves = [&](const StepStats&) {
      if (saver_) deadline_->saves_written(saver_->counts().written, JobDeadline::Clock::now());
    };
    const auto has_to_stop = [&] { return deadline_->is_near(JobDeadline::Clock::now()) || stop_requested(); };
    TrainSummary summary = trainer_->run(publish, note_saves, has_to_stop);
    failpoint("trained");
    return summary;
  }

  bool delivers_best() const { return in_.options.load_best_model_at_end; }

  void report(const TrainSummary& summary) {
    job_.activity().phase("writing results", dist::Pace::kOpen);
    on_main([&] {
      const RunReport report = report_of(in_, job_, *model_);
      owner_->change([&] {
        write_run_report(report, *history_, summary, in_.options.output_dir);
        history_->catch_up();
      });
      print_report(results_text(in_, *history_, summary, report) +
                   closing_words(in_, summary, job_.world_size(), deadline_->was_near()));
    });
    failpoint("results-written");
  }

 private:
  /// What only rank 0 does; if it fails, all do.
  void on_main(const std::function<void()>& work) {
    job_.together([&] {
      if (job_.is_main()) work();
    });
  }

  Job& job_;
  TrainInputs in_;
  std::optional<RunFolder> folder_;     // rank 0's
  const FolderOwner* owner_ = nullptr;  // likewise
  ResumePoint resume_;
  std::optional<model::DistilBert> model_;
  std::optional<RunHistory> history_;
  std::optional<Trainer> trainer_;
  std::optional<JobDeadline> deadline_;
  std::optional<CheckpointSaver> saver_;
};

int train(Job& job, const std::vector<std::string>& arguments) {
  failpoint("mpi-initialized");
  start_log(job.rank(), job.world_size());
  TrainingRun run(job);
  run.load(arguments);
  run.open_folder();
  run.make_trainer();
  run.prepare_saves();
  const TrainSummary summary = run.train();
  run.report(summary);
  return exit_code_of(summary, run.delivers_best());
}

bool asks_for_help(const std::vector<std::string>& arguments) {
  return std::any_of(arguments.begin(), arguments.end(),
                     [](const std::string& argument) { return argument == "--help" || argument == "-h"; });
}

}  // namespace

int train_command(const std::vector<std::string>& arguments) {
  if (asks_for_help(arguments)) parse_train_options({"--help"}, nullptr);
  failpoint("start");
  return run_job([&](Job& job) { return train(job, arguments); });
}

}  // namespace lockstep
