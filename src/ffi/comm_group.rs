//! Communicators that are made from others.

use crate::comm::{Communicator, check_rank};
use crate::ffi::border::guard::{Outcome, Refusal, guard};
use crate::ffi::border::handle;
use crate::ffi::border::pointer::{out, slice};
use crate::ffi::comm::{rank_argument, shardspec_comm};
use crate::ffi::error::{shardspec_error, shardspec_status};
use crate::memory::{text, try_collect_results};
use crate::model::Error;

/// Creates a communicator from a list of members. Each member is a rank of the communicator `comm`.
/// The caller also passes the placement rank of each member: the rank that placements use for this
/// member. For example, a tensor-parallel group of ranks 4 to 7 can use layouts with the placements
/// `rank:4` to `rank:7`.
///
/// `members` holds ranks of `comm`. No rank may be listed twice. The calling rank must be a member.
/// Member i is rank i of the new communicator. With `members` NULL, all ranks of `comm` are
/// members, and `member_count` is the size of `comm`. `placement_ranks[i]` is the placement rank of
/// member i. With `placement_ranks` NULL, the members keep the placement ranks that they have in
/// `comm`.
///
/// In collectives of the new communicator, `source_rank`, `destination_rank` and the ranks in
/// errors are placement ranks. The results of `shardspec_comm_rank` and the peers of
/// `shardspec_comm_exchange` are ranks from 0 to size - 1. Only the members call this function, and
/// all members pass the same lists. The function sends nothing. If members pass different placement
/// ranks, their collectives return DISAGREEMENT.
///
/// The new communicator sends its messages through `comm`, so calls with the two communicators need
/// one common order. On each rank, a call with one of the two communicators must end before the
/// next call with either communicator begins. All members must make these calls in the same order.
/// An abort of one communicator also aborts the other communicator.
///
/// Ownership: the caller keeps the lists and frees `*out`. The caller may free `comm` before
/// `*out`. The library frees the transport when the program has freed all communicators that use
/// the transport.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `members` lacks the calling rank, a rank is listed twice or is
/// negative, or `members` is NULL and `member_count` is not the size of `comm`; INDEX_OUT_OF_RANGE
/// if a listed rank is not a rank of `comm`; INVALID_HANDLE, NULL_ARGUMENT, OUT_OF_MEMORY.
/// Threads: any.
/// Source: torch's `new_group`, MPI_Comm_create_group.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_new_group(
    comm: *const shardspec_comm, members: *const i64, placement_ranks: *const i64,
    member_count: usize, out: *mut *mut shardspec_comm, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let comm = handle::get("comm", comm)?;
        let place = self::out("out", out)?;
        let members = members_argument(comm.size(), members, member_count)?;
        let placement_ranks = match placement_ranks.is_null() {
            true => None,
            false => Some(slice("placement_ranks", placement_ranks, member_count)?),
        };
        let group = comm.group(members.as_deref(), placement_ranks)?;
        place.set(handle::insert(group)?);
        Ok(())
    })
}

/// The members of a group; none where they are all ranks of a communicator of that size.
unsafe fn members_argument(
    size: usize, members: *const i64, member_count: usize,
) -> Outcome<Option<Vec<usize>>> {
    if members.is_null() {
        if member_count == size {
            return Ok(None);
        }
        let problem = text!(
            "{member_count} where members is NULL; pass the size of the communicator, {size}, or a \
             list"
        );
        return Err(Error::invalid("member_count", problem).into());
    }
    let members = slice("members", members, member_count)?.iter().enumerate();
    let members = members
        .map(|(at, &rank)| rank_argument("members", rank).map_err(Refusal::at("members", at)));
    Ok(Some(try_collect_results(members)?))
}

/// The argument `rank`, which the communicator must have.
fn rank_of(comm: &dyn Communicator, rank: i64) -> Outcome<usize> {
    let rank = rank_argument("rank", rank)?;
    check_rank("rank", rank, comm.size())?;
    Ok(rank)
}

/// Writes to `*out` the placement rank of rank `rank`: the rank that placements use for `rank`. In
/// a communicator from `shardspec_comm_new_group`, the placement rank may differ from `rank`. In
/// other communicators, the placement rank is `rank` itself.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `destroy`, if another thread frees a handle during the call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `rank` is negative; INDEX_OUT_OF_RANGE if `rank` is not below the
/// size; INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Source: torch's `get_global_rank`.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_placement_rank(
    comm: *const shardspec_comm, rank: i64, out: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let comm = handle::get("comm", comm)?;
        let rank = rank_of(&*comm, rank)?;
        place.set(comm.placement_rank(rank));
        Ok(())
    })
}

/// Writes to `*out` the number of the node that rank `rank` of the communicator is on. Ranks with
/// equal numbers share a node. A negative number means that the node of the rank is not known.
///
/// Ownership: the caller keeps all arguments.
/// Calls back: `node` of a custom transport; `destroy`, if another thread frees a handle during the
/// call.
/// Blocks: no.
/// Errors: INVALID_ARGUMENT if `rank` is negative; INDEX_OUT_OF_RANGE if `rank` is not below the
/// size; INVALID_HANDLE, NULL_ARGUMENT.
/// Threads: any.
/// Since: ABI 0.
#[unsafe(no_mangle)]
pub unsafe extern "C-unwind" fn shardspec_comm_node(
    comm: *const shardspec_comm, rank: i64, out: *mut i64, err: *mut shardspec_error,
) -> shardspec_status {
    guard(err, || {
        let place = self::out("out", out)?;
        let comm = handle::get("comm", comm)?;
        let rank = rank_of(&*comm, rank)?;
        place.set(comm.node(rank).unwrap_or(-1));
        Ok(())
    })
}
