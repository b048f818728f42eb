//! Kernels: the loops that move bytes. Each uses those before it in this order only: [`runs`],
//! [`join`], [`blocks`], [`transpose`] and [`bits`]; [`lanes`], which say what several shards have of the same
//! rows; [`tiles`], [`bursts`], [`squares`], [`pack`] and [`direct`]; [`rows`] and [`sweep`].

pub(super) mod bits;
mod blocks;
mod bursts;
mod direct;
mod join;
pub(super) mod lanes;
mod pack;
pub(super) mod rows;
mod runs;
mod squares;
pub(super) mod sweep;
pub(super) mod tiles;
mod transpose;
