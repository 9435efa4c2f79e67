//! The museum: bugs planted on purpose, and the proof that random seeds find them. A simulator that finds nothing is
//! either very good news or asleep; this tells which.
pub mod catalogue;
pub mod hunt;
pub mod page;
