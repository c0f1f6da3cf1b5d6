// SPDX-License-Identifier: Apache-2.0
// oracle: free
// variable: heap
// builds: O0-g O2-g O2-stripped
// rate: 5000 a second a thread
// Jobs travel through two locked queues, to the worker and back; a job itself is touched without a lock by whoever has
// taken it out.
#include <condition_variable>
#include <deque>
#include <mutex>

#include "support/pace.h"

struct Job {
  long input = 0;
  long output = 0;
};

class Queue {
 public:
  void put(Job* job) {
    std::lock_guard<std::mutex> lock(mutex_);
    jobs_.push_back(job);
    filled_.notify_one();
  }
  Job* take() {
    std::unique_lock<std::mutex> lock(mutex_);
    while (jobs_.empty()) filled_.wait(lock);
    Job* job = jobs_.front();
    jobs_.pop_front();
    return job;
  }

 private:
  std::mutex mutex_;
  std::condition_variable filled_;
  std::deque<Job*> jobs_;
};

Queue to_do;
Queue done;

static void* worker(void*) {
  for (;;) {
    Job* job = to_do.take();
    job->output += job->input;
    pause_us(50);
    job->output -= 1;
    done.put(job);
  }
}

int main(int argc, char** argv) {
  end_with_stdin(argc, argv);
  for (int job = 0; job < 2; job++) done.put(new Job);
  start_thread(worker, nullptr);
  for (;;) {
    Job* job = done.take();
    job->input += job->output + 1;
    pause_us(50);
    to_do.put(job);
  }
}
