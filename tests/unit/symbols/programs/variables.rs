// SPDX-License-Identifier: Apache-2.0

// Rust's statics.
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::Mutex;

pub mod shop {
    pub struct Counter {
        pub hits: u32,
        pub misses: u64,
    }
    pub static mut COUNTERS: [Counter; 2] = [Counter { hits: 1, misses: 2 }, Counter { hits: 3, misses: 4 }];
}

static TOTAL: AtomicU64 = AtomicU64::new(1);
static LEDGER: Mutex<i64> = Mutex::new(7);
static mut PLAIN: u32 = 9;
static LIMIT: u32 = 11;
thread_local! {
    static LOCAL: std::cell::Cell<u32> = std::cell::Cell::new(1);
}

#[inline(never)]
fn touch(by: u32) -> u32 {
    LOCAL.with(|local| local.set(local.get() + by));
    TOTAL.fetch_add(u64::from(by), Ordering::Relaxed);
    *LEDGER.lock().unwrap() += i64::from(by);
    unsafe {
        PLAIN += by;
        shop::COUNTERS[(by & 1) as usize].hits += by;
        PLAIN + LIMIT
    }
}

fn main() {
    let by = std::env::args().count() as u32;
    std::process::exit((touch(by) > 1000) as i32);
}
