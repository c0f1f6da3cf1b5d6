// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: mutex_static::TOTAL
// builds: O0-g O2-g O2-stripped
// rate: 5000 a second a thread
// A static std::sync::Mutex: the lock is a word beside what it guards.
#[path = "../support/pace.rs"]
mod pace;

use std::sync::Mutex;

static TOTAL: Mutex<u64> = Mutex::new(0);

fn worker(step: u64) {
    loop {
        *TOTAL.lock().unwrap() += step;
        pace::pause_us(150);
    }
}

fn main() {
    pace::end_with_stdin();
    std::thread::spawn(|| worker(1));
    worker(2);
}
