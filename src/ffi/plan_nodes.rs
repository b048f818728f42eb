//! Plans for ranks on several nodes. In the header they are part of the section of plans.

use crate::ffi::border::guard::guard;
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{out, slice};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::ffi::plan::{give, shardspec_plan};

/// Creates a plan for the same shards as `plan`, for ranks on several nodes. Rank r is on node
/// `nodes[r]`. The function does not change `plan`.
///
/// Several source shards may hold the same element. If one of these shards has the same owner as
/// the destination shard, the new plan reads the element from this source shard. If not, the
/// candidates are the source shards with this element on the node of the destination shard. If
/// there are no such shards, all source shards with this element are candidates. Among several
/// candidates, the new plan chooses the owner that supplies the fewest elements so far. If no
/// source shards overlap, the new plan has the same pieces as `plan`.
///
/// `nodes` has `node_count` numbers. Ranks on the same node have equal numbers. A negative number
/// means that the node of the rank is unknown. Ranks from `node_count` on also have an unknown
/// node. An owner with an unknown node counts as the only owner on its node. The index r in
/// `nodes[r]` is the rank of a placement. `shardspec_comm_node` returns the nodes of a
/// communicator's ranks.
///
/// If ranks move a tensor by a plan from this function (`shardspec_comm_tensor`), all ranks must
/// pass plans that read the same sources. If the plans differ, all ranks return DISAGREEMENT.
///
/// Ownership: the caller frees `*out`. The caller may free `plan` and `nodes` before `*out`.
/// Calls back: `equal` and `hash` of custom placements; `destroy`, if another thread frees a handle
/// during the call.
/// Blocks: no.
/// Errors: UNSUPPORTED if source shards overlap in so many ways that the plan would take too long;
/// INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_plan_new_on_nodes(
    plan: *const shardspec_plan, nodes: *const i64, node_count: usize,
    out: *mut *mut shardspec_plan, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let plan = handle::get("plan", plan)?;
        give(place, plan.on_nodes(slice("nodes", nodes, node_count)?)?)
    })
}
