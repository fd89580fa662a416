#pragma once

#include <string>

#include "tests/power/operation.h"

namespace lockstep::tests {

// Records of programs that make one mistake each, made of the record of the real one. Systems that made them:
// docs/reliability.md.

Record without_flushes_of_files(const Record& record);
Record without_flushes_of_folders(const Record& record);
/// Of the model that is delivered, only.
Record without_flushes_of_the_model(const Record& record);
/// What should get another name with `suffix` is hidden, and so removed.
Record with_removal_instead_of(const std::string& suffix, Record record, const std::string& run_folder);
/// The folder gets its final name when it is made, and is filled afterwards.
Record with_the_name_first(const Record& record, const std::string& run_folder);
/// The manifest is written, and the checkpoint committed, before the last shard is flushed.
Record with_the_manifest_early(const Record& record, const std::string& run_folder);
/// Each rank gives the folder its name when its own shard is done.
Record with_every_rank_renaming(const Record& record, const std::string& run_folder);

}  // namespace lockstep::tests
