#pragma once

#include <string>
#include <vector>

#include "data/prepare.h"

namespace lockstep::data {

/// Full sentences about what the user should know before training on this data set: empty, cut, invalid, repeated and
/// leaked texts, unbalanced or missing classes. Reads report.manifest and the duplicate counts.
std::vector<std::string> data_set_warnings(const PrepareReport& report);

}  // namespace lockstep::data
