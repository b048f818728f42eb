//! Ops that users hang on types of specs: torch's `custom_sharding_spec_op`.
//!
//! An op is registered for the name of a spec's type and the name of the op. What it does is the
//! user's; here is who may call it when, and what holds for every call.

mod directory;
pub mod error;
mod registry;
mod validation;

pub use error::OpError;
pub use registry::{Op, Registry, Running};
pub use validation::{BasicValidation, second_of_equals};
