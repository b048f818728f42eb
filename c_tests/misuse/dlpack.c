/* Memory lent to other libraries: whatever was wrong, it was given back. */
#include "misuse.h"

static int released;
static void release(void *ctx) { (void)ctx, released++; }

void misuse_dlpack(void) {
  shardspec_managed_tensor *managed = NULL;
  shardspec_tensor_view null_data = full, far = full;
  null_data.data = NULL;
  far.device.device_type = 2;
  MISUSE(NULL_ARGUMENT, "NULL view", shardspec_managed_tensor_new, NULL, 0, NULL, release, &managed);
  MISUSE(NULL_ARGUMENT, "NULL data", shardspec_managed_tensor_new, &null_data, 0, NULL, release, &managed);
  MISUSE(UNSUPPORTED_DEVICE, "on a device", shardspec_managed_tensor_new, &far, 0, NULL, release, &managed);
  MISUSE(INVALID_ARGUMENT, "unknown flag", shardspec_managed_tensor_new, &full, 8, NULL, release, &managed);
  WRONG_OUT(shardspec_managed_tensor *, shardspec_managed_tensor_new, &full, 0, NULL, release, P);
  WRONG_ERROR(shardspec_managed_tensor_new, &full, 0, NULL, release, &managed);
  CHECK_EQUAL(released, 8);

  shardspec_legacy_managed_tensor *legacy = NULL;
  MISUSE(NULL_ARGUMENT, "NULL view", shardspec_legacy_managed_tensor_new, NULL, NULL, release, &legacy);
  MISUSE(UNSUPPORTED_DEVICE, "on a device", shardspec_legacy_managed_tensor_new, &far, NULL, release, &legacy);
  WRONG_OUT(shardspec_legacy_managed_tensor *, shardspec_legacy_managed_tensor_new, &full, NULL, release, P);
  WRONG_ERROR(shardspec_legacy_managed_tensor_new, &full, NULL, release, &legacy);
  CHECK_EQUAL(released, 14);
  CHECK(managed == NULL && legacy == NULL);
}
