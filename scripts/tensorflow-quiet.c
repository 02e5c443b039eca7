// Silences standard error while a library is loaded that greets on it whatever its log level is. A file descriptor can only
// be exchanged at once, without a moment in which another thread's file gets its number, from native code.
//
//   const { hush, restore } = require('./quiet.node');
#include <fcntl.h>
#include <node_api.h>
#include <unistd.h>

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

static napi_value initialise(napi_env env, napi_value exports) {
  napi_property_descriptor functions[] = {
      {"hush", NULL, hush, NULL, NULL, NULL, napi_enumerable, NULL},
      {"restore", NULL, restore, NULL, NULL, NULL, napi_enumerable, NULL},
  };
  napi_define_properties(env, exports, 2, functions);
  return exports;
}

NAPI_MODULE(quiet, initialise)
