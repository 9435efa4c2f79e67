//! simtests
