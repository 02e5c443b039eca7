// What engine tensorflow needs of its process that JavaScript cannot do.
//
//   const { hush, restore, shield } = require('./wave.node');
//
// hush, restore: silence standard error while a library is loaded that greets on it whatever its log level is. A file
// descriptor can only be exchanged at once, without a moment in which another thread's file gets its number, from native code.
//
// shield: keeps signals off the calling thread and the threads that it starts from then on, since code that oneDNN
// generates does not stand being interrupted. Node's other threads take them; what JavaScript hears of them is the same.
#include <fcntl.h>
#include <node_api.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

// Those that arrive from outside or that Node has handlers for.
static const int SIGNALS[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGCHLD, SIGCONT, SIGWINCH, SIGUSR1, SIGUSR2};

static int original = -1;

static napi_value hush(napi_env env, napi_callback_info info) {
  int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
  if (original < 0 && nothing >= 0) {
    original = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
    if (original >= 0) dup2(nothing, STDERR_FILENO);
  }
  if (nothing >= 0) close(nothing);
  return NULL;
}

static napi_value restore(napi_env env, napi_callback_info info) {
  if (original >= 0) {
    dup2(original, STDERR_FILENO);
    close(original);
    original = -1;
  }
  return NULL;
}

static napi_value shield(napi_env env, napi_callback_info info) {
  sigset_t set;
  sigemptyset(&set);
  for (size_t i = 0; i < sizeof SIGNALS / sizeof *SIGNALS; i++) sigaddset(&set, SIGNALS[i]);
  pthread_sigmask(SIG_BLOCK, &set, NULL);
  return NULL;
}

static napi_value initialise(napi_env env, napi_value exports) {
  napi_property_descriptor functions[] = {
      {"hush", NULL, hush, NULL, NULL, NULL, napi_enumerable, NULL},
      {"restore", NULL, restore, NULL, NULL, NULL, napi_enumerable, NULL},
      {"shield", NULL, shield, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, sizeof functions / sizeof *functions, functions);
  return exports;
}

NAPI_MODULE(wave, initialise)
