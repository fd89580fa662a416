#include "tests/power/broken_protocols.h"

#include <algorithm>

#include "launcher/checkpoint/manifest.h"
#include "tests/power/promises.h"

namespace lockstep::tests {

namespace {

using Kind = Operation::Kind;

/// `of`: whether a path is one of those; folders end in "/".
template <typename Test>
Record without_flushes(const Record& record, const Test& of) {
  const auto paths = opened_paths(record);
  Record changed;
  for (const Operation& operation : record)
    if (operation.kind != Kind::kFlush || !of(paths.at(operation.file))) changed.push_back(operation);
  return changed;
}

using Position = Record::iterator;

Position first(Position begin, Position end, Kind kind, const std::string& path) {
  return std::find_if(begin, end,
                      [&](const Operation& operation) { return operation.kind == kind && operation.path == path; });
}

/// [begin, end) goes on in a folder that has another name by now.
void rename_in(Position begin, Position end, const std::string& from, const std::string& to) {
  for (; begin != end; ++begin)
    for (std::string* path : {&begin->path, &begin->other})
      if (*path == from || path->starts_with(from + "/")) *path = to + path->substr(from.size());
}

/// For each checkpoint that was published by a plain rename: `change(unfinished, name, position of the rename)`.
template <typename Change>
Record changed_at_publications(Record record, const std::string& run_folder, const Change& change) {
  for (size_t i = 0; i < record.size(); ++i)
    if (record[i].kind == Kind::kRename && publishes(record[i], run_folder))
      change(record, std::string(record[i].path), std::string(record[i].other),
             record.begin() + static_cast<ptrdiff_t>(i));
  return record;
}

}  // namespace

Record without_flushes_of_files(const Record& record) {
  return without_flushes(record, [](const std::string& path) { return !path.ends_with('/'); });
}

Record without_flushes_of_folders(const Record& record) {
  return without_flushes(record, [](const std::string& path) { return path.ends_with('/'); });
}

Record without_flushes_of_the_model(const Record& record) {
  return without_flushes(record, [](const std::string& path) { return path.ends_with("/model.safetensors"); });
}

Record with_removal_instead_of(const std::string& suffix, Record record, const std::string& run_folder) {
  for (Operation& operation : record)
    if (operation.other.find(suffix) != std::string::npos) operation.other = run_folder + "/.checkpoint-0.removing-0";
  return record;
}

Record with_the_name_first(const Record& record, const std::string& run_folder) {
  return changed_at_publications(
      record, run_folder, [](Record& whole, const std::string& unfinished, const std::string& name, Position rename) {
        const Position made = first(whole.begin(), rename, Kind::kMakeFolder, unfinished);
        std::rotate(made + 1, rename, rename + 1);
        rename_in(made + 2, rename + 1, unfinished, name);
      });
}

Record with_the_manifest_early(const Record& record, const std::string& run_folder) {
  const auto paths = opened_paths(record);
  return changed_at_publications(
      record, run_folder, [&](Record& whole, const std::string& unfinished, const std::string& name, Position rename) {
        const auto is_flush_of_a_shard = [&](const Operation& operation) {
          return operation.kind == Kind::kFlush && paths.at(operation.file).starts_with(unfinished + "/shard-");
        };
        const auto flush =
            std::find_if(std::make_reverse_iterator(rename), whole.rend(), is_flush_of_a_shard).base() - 1;
        const Position committed = first(rename, whole.end(), Kind::kMark, name);
        std::rotate(flush, flush + 1, committed + 1);
      });
}

Record with_every_rank_renaming(const Record& record, const std::string& run_folder) {
  const auto paths = opened_paths(record);
  std::map<std::string, std::string> names;  // of folders, in the end
  for (const Operation& operation : record)
    if (publishes(operation, run_folder)) names[operation.path] = operation.other;
  Record changed;
  for (const Operation& operation : record) {
    changed.push_back(operation);
    if (operation.kind != Kind::kFlush) continue;
    const std::string& path = paths.at(operation.file);
    const std::string folder = path.substr(0, path.rfind('/'));
    if (!names.contains(folder) || path.find("/shard-") == std::string::npos) continue;
    changed.push_back({Kind::kRename, 0, 0, folder, names[folder], ""});
    changed.push_back({Kind::kMark, 0, 0, names[folder], "", "committed"});
  }
  return changed;
}

}  // namespace lockstep::tests
