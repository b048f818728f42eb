/* Version. */
#include "check.h"

int main(void) {
  shardspec_error err = SHARDSPEC_ERROR_INIT;
  char text[32], composed[32];
  CHECK_EQUAL(shardspec_abi_version(), SHARDSPEC_ABI_VERSION);
  CHECK_OK(shardspec_version_text(text, sizeof text, NULL, &err));
  CHECK_TEXT(text, SHARDSPEC_VERSION);
  snprintf(composed, sizeof composed, "%d.%d.%d", SHARDSPEC_VERSION_MAJOR, SHARDSPEC_VERSION_MINOR,
           SHARDSPEC_VERSION_PATCH);
  CHECK_TEXT(text, composed);
  return 0;
}
