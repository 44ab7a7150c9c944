//! What people and their tools see of the agent's values.

pub mod catalogue;
pub mod findings;
pub mod hurt;
pub mod json;
pub mod live;
pub mod model;
pub mod paint;
pub mod plot;
pub mod predictions;
pub mod rates;
pub mod table;
pub mod units;
