/* shardspec.hpp - the C interface in C++: handles that free themselves, errors that are thrown or
 * returned, std::string and std::vector, views made from whatever holds the elements.
 *
 *   auto spec = shardspec::spec::chunk(0, {"rank:0", "rank:1"});
 *   auto metadata = spec.build_metadata({5, 3});
 *   metadata.scatter(shardspec::view(full, {5, 3}), shards);
 *
 * C++17, header-only: include this and link libshardspec. `shardspec.h` is the manual of what the
 * calls do and refuse; here is what C++ adds.
 *
 * - Errors. A refused call throws `shardspec::error`. With `std::nothrow` as the last argument the
 *   same call returns a `shardspec::result` instead, which is the value or the error:
 *
 *     auto metadata = spec.build_metadata({5, 3}, {}, std::nothrow);
 *     if (!metadata) return metadata.error().status;
 *
 *   Where exceptions are disabled, every call answers so. Each call is written once, as a template
 *   of that last argument, and `answer<T, P>` in its declaration is T or `result<T>`. Memory for
 *   strings and vectors is the standard library's own, as is what happens when there is none.
 * - Handles (`spec`, `metadata` ...) own what they name, and move. A moved-from or default-made one
 *   is empty: calls on it are refused, as calls with NULL are. `get()` is the C handle.
 * - What a call takes - numbers, texts, shards, views - may be a list in braces or any range with
 *   such elements. It is read during the call.
 * - Functions of yours that the library calls may be lambdas, and may throw: the exception passes
 *   the C library as a status and comes out of the C++ call that led to it as what was thrown, or as
 *   the `cause` of the error that is returned. */
#ifndef SHARDSPEC_HPP
#define SHARDSPEC_HPP

#include "shardspec/answer.hpp"
#include "shardspec/callback.hpp"
#include "shardspec/comm.hpp"
#include "shardspec/custom_spec.hpp"
#include "shardspec/dlpack.hpp"
#include "shardspec/mesh.hpp"
#include "shardspec/metadata.hpp"
#include "shardspec/op.hpp"
#include "shardspec/placement.hpp"
#include "shardspec/plan.hpp"
#include "shardspec/sharded_tensor.hpp"
#include "shardspec/shards.hpp"
#include "shardspec/spec.hpp"
#include "shardspec/values.hpp"
#include "shardspec/view.hpp"

#endif
