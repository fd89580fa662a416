#include <ATen/ATen.h>
#include <omp.h>

#include <algorithm>

#include "model/cpu/add_row.h"
#include "model/cpu/gelu.h"
#include "model/cpu/norm_row.h"
#include "model/cpu/tensor_rows.h"
#include "model/philox.h"
#include "model/row_operations.h"

namespace lockstep::model {
namespace {

/// A thread's masks, drawn row by row.
class MaskRows {
 public:
  MaskRows(const Mask& mask, int64_t columns)
      : mask_(mask), columns_(columns), draws_(static_cast<size_t>(columns + kDrawsPerCounter)) {}

  RowDropout of(int64_t row) {
    if (mask_.place.p == 0) return {draws_.data(), 0, 1};
    const std::span<const int32_t> offsets = mask_.examples.offsets;
    const int64_t example = std::upper_bound(offsets.begin(), offsets.end(), row) - offsets.begin() - 1;
    const int64_t first = (row - mask_.examples.begin(example)) * columns_, rest = first % kDrawsPerCounter;
    dropout_draws(draws_.data(), columns_ + rest, first - rest, mask_.place.of(mask_.examples.ids[example]));
    return {draws_.data() + rest, drop_threshold(mask_.place.p), static_cast<float>(1 / (1 - mask_.place.p))};
  }

 private:
  const Mask& mask_;
  int64_t columns_;
  std::vector<uint16_t> draws_;
};

/// Sums over rows: each thread's own over its rows, added up in the order of the threads. The memory is the calling
/// thread's, from call to call.
class ColumnSums {
 public:
  ColumnSums(int64_t vectors, int64_t columns) : columns_(columns), stride_(vectors * columns) {
    memory_.assign(static_cast<size_t>(omp_get_max_threads() * stride_), 0.0F);
    sums_ = memory_.data();
  }
  /// Inside the parallel region.
  float* of_thread(int64_t vector) const { return sums_ + omp_get_thread_num() * stride_ + vector * columns_; }
  void add_to(const at::Tensor& out, int64_t vector) const {
    for (int thread = 0; thread < omp_get_max_threads(); ++thread)
      add_row(out.mutable_data_ptr<float>(), sums_ + thread * stride_ + vector * columns_, columns_);
  }

 private:
  static thread_local std::vector<float> memory_;
  float* sums_;
  int64_t columns_, stride_;
};
thread_local std::vector<float> ColumnSums::memory_;

void fit_statistics(at::Tensor& values, int64_t rows) {
  if (!values.defined()) values = at::empty({0}, at::kFloat);
  values.resize_({rows});
}

template <class T>
void residual_norm_in(const Norm& norm, NormState& state, const at::Tensor& residual, const Mask& mask,
                      const at::Tensor& out) {
  const int64_t columns = residual.size(1);
  const Rows<T> sums = rows_of<T>(state.input), outs = rows_of<T>(out);
  const Rows<const T> residuals = rows_of<const T>(residual);
  auto* mean = state.mean.mutable_data_ptr<float>();
  auto* inverse = state.inverse_deviation.mutable_data_ptr<float>();
#pragma omp parallel
  {
    MaskRows masks(mask, columns);
#pragma omp for schedule(static)
    for (int64_t i = 0; i < residual.size(0); ++i) {
      const NormRow row =
          residual_norm_row(sums.row(i), residuals.row(i), outs.row(i), norm.weight.const_data_ptr<float>(),
                            norm.bias.const_data_ptr<float>(), columns, kLayerNormEpsilon, masks.of(i));
      mean[i] = row.mean;
      inverse[i] = row.inverse_deviation;
    }
  }
}

template <class T>
void residual_norm_backward_in(const Norm& norm, const NormState& state, const Mask& mask, const at::Tensor& gradient,
                               const at::Tensor& branch, const ColumnSums& column_sums) {
  const int64_t columns = gradient.size(1);
  const Rows<const T> sums = rows_of<const T>(state.input);
  const Rows<T> gradients = rows_of<T>(gradient), branches = rows_of<T>(branch);
  const auto* mean = state.mean.const_data_ptr<float>();
  const auto* inverse = state.inverse_deviation.const_data_ptr<float>();
#pragma omp parallel
  {
    MaskRows masks(mask, columns);
    const NormSums totals = {column_sums.of_thread(0), column_sums.of_thread(1), column_sums.of_thread(2)};
#pragma omp for schedule(static)
    for (int64_t i = 0; i < gradient.size(0); ++i)
      residual_norm_row_backward(sums.row(i), norm.weight.const_data_ptr<float>(), {mean[i], inverse[i]},
                                 gradients.row(i), branches.row(i), totals, columns, masks.of(i));
  }
}

}  // namespace

void residual_norm_on_host(const Norm& norm, NormState& state, const at::Tensor& residual, const Mask& mask,
                           at::Tensor& out) {
  fit(out, residual.size(0), residual.size(1), residual);
  fit_statistics(state.mean, residual.size(0));
  fit_statistics(state.inverse_deviation, residual.size(0));
  with_type_of(residual, [&]<class T>(T) { residual_norm_in<T>(norm, state, residual, mask, out); });
}

void residual_norm_backward_on_host(const Norm& norm, const NormState& state, const Mask& mask, at::Tensor& gradient,
                                    at::Tensor& branch, const at::Tensor& branch_sums) {
  fit(branch, gradient.size(0), gradient.size(1), gradient);
  const ColumnSums sums(3, gradient.size(1));
  with_type_of(gradient, [&]<class T>(T) { residual_norm_backward_in<T>(norm, state, mask, gradient, branch, sums); });
  sums.add_to(norm.weight_gradient, 0);
  sums.add_to(norm.bias_gradient, 1);
  if (branch_sums.defined()) sums.add_to(branch_sums, 2);
}

void activate_on_host(Activation activation, const at::Tensor& hidden, at::Tensor& out) {
  if (activation == Activation::kRelu) return activate_on_device(activation, hidden, out);
  fit(out, hidden.size(0), hidden.size(1), hidden);
  with_type_of(hidden, [&]<class T>(T) {
    const Rows<const T> in = rows_of<const T>(hidden);
    const Rows<T> outs = rows_of<T>(out);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < hidden.size(0); ++i)
      gelu_row(in.row(i), outs.row(i), hidden.size(1));
  });
}

void activate_backward_on_host(Activation activation, const at::Tensor& hidden, at::Tensor& gradient, at::Tensor& out,
                               const at::Tensor& sums) {
  if (activation == Activation::kRelu) return activate_backward_on_device(activation, hidden, gradient, out, sums);
  fit(out, hidden.size(0), hidden.size(1), hidden);
  const ColumnSums column_sums(1, hidden.size(1));
  with_type_of(hidden, [&]<class T>(T) {
    const Rows<const T> in = rows_of<const T>(hidden);
    const Rows<T> outs = rows_of<T>(out), gradients = rows_of<T>(gradient);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < hidden.size(0); ++i)
      gelu_row_backward(in.row(i), outs.row(i), gradients.row(i), column_sums.of_thread(0), hidden.size(1));
  });
  column_sums.add_to(sums, 0);
}

void add_column_sums_on_host(const at::Tensor& rows, const at::Tensor& sums) {
  const ColumnSums column_sums(1, rows.size(1));
  with_type_of(rows, [&]<class T>(T) {
    const Rows<const T> values = rows_of<const T>(rows);
#pragma omp parallel for schedule(static)
    for (int64_t i = 0; i < rows.size(0); ++i)
      add_row(column_sums.of_thread(0), values.row(i), rows.size(1));
  });
  column_sums.add_to(sums, 0);
}

void add_rows_on_host(const at::Tensor& table, const at::Tensor& ids, const at::Tensor& rows) {
  const Rows<float> sums = rows_of<float>(table);
  const Rows<const float> values = rows_of<const float>(rows);
  const auto* id = ids.const_data_ptr<int64_t>();
  for (int64_t i = 0; i < rows.size(0); ++i)
    add_row(sums.row(id[i]), values.row(i), rows.size(1));
}

}  // namespace lockstep::model
