#pragma once

#include <string>

#include "model/distilbert.h"

namespace lockstep::model {

/// Multiplications and additions per second of dense matrix products (no sparsity) that NVIDIA's data sheet gives for
/// the GPU of this name, as the driver says it; 0 for one that is not listed.
double peak_flops_of(const std::string& gpu, Precision precision);

/// The same for a device ("cpu", "cuda:N"); 0 for CPUs, of which no data sheet says it.
double peak_flops(const std::string& device, Precision precision);

}  // namespace lockstep::model
