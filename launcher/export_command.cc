#include "launcher/export_command.h"

#include <cstdio>
#include <system_error>

#include "data/error.h"
#include "data/hdf5_arrays.h"
#include "data/input_path.h"
#include "data/output_folder.h"
#include "launcher/checkpoint/checkpoint_error.h"
#include "launcher/checkpoint/shard.h"
#include "launcher/checkpoint/store.h"
#include "launcher/cli/command_line.h"
#include "launcher/cli/option_values.h"
#include "launcher/cli/printable_text.h"
#include "launcher/format.h"
#include "model/safetensors.h"

namespace lockstep {

namespace {

namespace fs = std::filesystem;

const char* const kFooter = R"(
Examples:
  lockstep export runs/reference --output_dir exported
  lockstep export runs/reference/checkpoint-188 --format hdf5 --output_dir h5

hf    the model of that step as transformers opens it: model.safetensors,
      config.json and the tokenizer
hdf5  one file checkpoint-STEP.h5: parameters/NAME, m/NAME and v/NAME, and
      step, epoch and cursor as attributes

Of RUN, the newest valid checkpoint is taken. Every byte of it is checked
first. No GPU and no MPI are needed.

Exit codes: 0 done; 2 usage; 3 --output_dir is not empty; 5 no valid
checkpoint; 9 the output could not be written.)";

struct ExportOptions {
  fs::path source, output_dir;
  std::string format = "hf";
};

ExportOptions parse(const std::vector<std::string>& arguments) {
  ExportOptions o;
  const auto app = make_app("lockstep export", "Writes a checkpoint's state for other programs.", kFooter);
  app->add_option("RUN", o.source, "OUTPUT_DIR of a training, or a checkpoint in it")
      ->check(filled("a folder"))
      ->required();
  app->add_option("--output_dir", o.output_dir, "A new or empty folder")->check(filled("a folder"))->required();
  app->add_option("--format", o.format, "hf: a Hugging Face model; hdf5: parameters, m and v")
      ->check(one_of({"hf", "hdf5"}));
  parse_command_line(*app, arguments);
  if (!data::is_folder(o.source)) throw CheckpointError(o.source.string() + " is not a folder");
  const bool is_new = !fs::exists(fs::symlink_status(o.output_dir));
  if (!is_new && !(fs::is_directory(o.output_dir) && fs::is_empty(o.output_dir)))
    throw SettingsError("--output_dir " + o.output_dir.string() + " is not an empty folder; choose another");
  return o;
}

/// The newest one whose every byte is as it was written; damaged ones are named.
StoredCheckpoint newest_valid(const fs::path& source) {
  std::string problems;
  for (StoredCheckpoint& stored : checkpoints_at(source)) {
    const auto problem = problem_with(stored, true);
    if (!problem) return std::move(stored);
    const std::string words = stored.folder.string() + " is damaged: " + printable_text(*problem);
    std::fprintf(stderr, "warning: %s\n", printable_lines(words).c_str());
    problems += "\n  " + words;
  }
  throw CheckpointError("no valid checkpoint in " + source.string() + problems);
}

FlatState whole_state(const StoredCheckpoint& stored) {
  const CheckpointManifest& manifest = *stored.manifest;
  FlatState state;
  state.resize(size_of(manifest.tensors));
  for (const ShardEntry& shard : manifest.shards)
    read_shard(stored.folder, shard, manifest.tensors, state);
  return state;
}

/// Each tensor with its part of a flat vector.
template <typename Named>
void append_tensors(std::vector<Named>& named, const std::string& prefix, const std::vector<TensorShape>& tensors,
                    std::span<const float> flat) {
  size_t begin = 0;
  for (const TensorShape& tensor : tensors) {
    const auto size = static_cast<size_t>(tensor.size());
    named.push_back({prefix + tensor.name, tensor.shape, flat.subspan(begin, size)});
    begin += size;
  }
}

bool is_model_file(const FileReceipt& file) {
  return file.name != "trainer_state.json" && file.name != kHistoryName && file.name != kBestModelName;
}

void write_model(const StoredCheckpoint& stored, const FlatState& state, const fs::path& folder) {
  std::vector<model::TensorToWrite> tensors;
  append_tensors(tensors, "", stored.manifest->tensors, state.parameters);
  model::write_safetensors(folder / "model.safetensors", tensors);
  for (const FileReceipt& file : stored.manifest->files)
    if (is_model_file(file)) fs::copy_file(stored.folder / file.name, folder / file.name);
  if (!fs::exists(folder / "config.json"))
    throw CheckpointError(stored.folder.string() +
                          " was written without config.json and tokenizer; --format hdf5 needs neither");
}

void write_state(const StoredCheckpoint& stored, const FlatState& state, const fs::path& folder) {
  const CheckpointManifest& manifest = *stored.manifest;
  std::vector<data::NamedArray> arrays;
  append_tensors(arrays, "parameters/", manifest.tensors, state.parameters);
  append_tensors(arrays, "m/", manifest.tensors, state.m);
  append_tensors(arrays, "v/", manifest.tensors, state.v);
  data::write_hdf5_arrays(folder / (checkpoint_name(manifest.step) + ".h5"), arrays,
                          {{"step", manifest.step}, {"epoch", manifest.epoch}, {"cursor", manifest.cursor}});
}

void write_export(const ExportOptions& options, const StoredCheckpoint& stored, const FlatState& state) {
  try {
    data::StagingFolder staging({options.output_dir, "--output_dir"});
    (options.format == "hf" ? write_model : write_state)(stored, state, staging.path());
    staging.publish();
  } catch (const std::system_error& error) {
    throw ProgramError(kStorage, error.what());
  } catch (const data::DataError& error) {
    throw ProgramError(kStorage, error.what());
  }
}

}  // namespace

int export_command(const std::vector<std::string>& arguments) {
  const ExportOptions options = parse(arguments);
  const StoredCheckpoint stored = newest_valid(options.source);
  write_export(options, stored, whole_state(stored));
  std::printf("%s -> %s\n", printable_text(stored.folder.string()).c_str(),
              printable_text(options.output_dir.string()).c_str());
  return kDone;
}

}  // namespace lockstep
