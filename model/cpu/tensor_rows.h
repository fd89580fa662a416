#pragma once

#include <ATen/core/Tensor.h>

#include "model/cpu/gemm.h"

namespace lockstep::model {

static_assert(sizeof(Bf16) == sizeof(at::BFloat16));

/// The elements of a host tensor of T's type, float or Bf16.
template <class T>
T* elements_of(const at::Tensor& tensor) {
  if constexpr (std::is_same_v<std::remove_const_t<T>, float>) {
    return tensor.mutable_data_ptr<float>();
  } else {
    return reinterpret_cast<T*>(tensor.mutable_data_ptr<at::BFloat16>());
  }
}

/// work(T{}) for a tensor of T's type.
template <class Work>
void with_type_of(const at::Tensor& tensor, Work work) {
  if (tensor.scalar_type() == at::kFloat) {
    work(float{});
  } else {
    work(Bf16{});
  }
}

/// The rows of a two-dimensional one.
template <class T>
Rows<T> rows_of(const at::Tensor& tensor) {
  return {elements_of<T>(tensor), tensor.stride(0)};
}

}  // namespace lockstep::model
