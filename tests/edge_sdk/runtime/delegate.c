/* Delegates as bad as a test wants them, by -D: CLAIM(code) says which operators it takes, REFUSE, CRASH_IN_*,
   EXIT_IN_CREATE, FAIL_PREPARE, HANG, ZEROS, STALE and OFF say what it does with them. It can do RESHAPE.
   Types: as much of tflite/core/c/common.h in LiteRT 2.3 as is needed, in its order (TensorFlow Lite 2.14's, too). */
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#ifndef CLAIM
#define CLAIM(code) 0
#endif
#ifndef OFF
#define OFF 0
#endif

enum { OK = 0, ERROR = 1, INT8 = 9, RESHAPE = 22, DELEGATE = 51 };

typedef struct { int size; int data[]; } Integers;
typedef struct Delegate Delegate;
typedef struct Context Context;

typedef struct {
  int type;
  void *data;
  Integers *dims;
  struct { float scale; int32_t zero_point; } params;
  int allocation_type;
  size_t bytes;
  const void *allocation;
  const char *name;
  Delegate *delegate;
  int buffer_handle;
  bool data_is_stale, is_variable;
  struct { int type; void *params; } quantization;
  void *sparsity;
  const Integers *dims_signature;
} Tensor;

typedef struct { Integers *inputs, *outputs; } Node; /* and more behind */

typedef struct {
  void *(*init)(Context *, const char *, size_t);
  void (*free)(Context *, void *);
  int (*prepare)(Context *, Node *);
  int (*invoke)(Context *, Node *);
  const char *(*profiling_string)(const Context *, const Node *);
  int32_t builtin_code;
  const char *custom_name;
  int version;
  void *external, *async_kernel;
  uint64_t inplace_operator;
} Registration;

struct Context {
  size_t tensors_size;
  int (*GetExecutionPlan)(Context *, Integers **);
  Tensor *tensors;
  void *impl;
  int (*ResizeTensor)(Context *, Tensor *, Integers *);
  void (*ReportError)(Context *, const char *, ...);
  int (*AddTensors)(Context *, int, int *);
  int (*GetNodeAndRegistration)(Context *, int, Node **, Registration **);
  int (*ReplaceNodeSubsetsWithDelegateKernels)(Context *, Registration, const Integers *, Delegate *);
}; /* and more behind */

struct Delegate {
  void *data;
  int (*Prepare)(Context *, Delegate *);
  void *copy_from, *copy_to, *free_buffer;
  int64_t flags;
  void *builder;
};

static bool alive;

static void crash(void) { *(volatile int *)0 = 1; }

static void *init(Context *context, const char *parameters, size_t size) { return &alive; }

/* The graph must end before the delegate that works for it. */
static void end(Context *context, void *made) {
  if (!alive) crash();
}

static int run(Context *context, Node *node) {
#ifdef CRASH_IN_INVOKE
  crash();
#endif
#ifdef HANG
  for (;;) pause();
#endif
  for (int i = 0; i < node->outputs->size; i++) {
    Tensor *to = &context->tensors[node->outputs->data[i]];
#ifdef ZEROS
    memset(to->data, 0, to->bytes);
#else
    Tensor *from = NULL; /* the shape is an input, too */
    for (int k = 0; k < node->inputs->size; k++)
      if (context->tensors[node->inputs->data[k]].bytes == to->bytes) from = &context->tensors[node->inputs->data[k]];
    if (!from) return ERROR;
    static void *first;
    if (!first) memcpy(first = malloc(to->bytes), from->data, to->bytes);
#ifdef STALE
    memcpy(to->data, first, to->bytes);
#else
    memcpy(to->data, from->data, to->bytes);
#endif
    for (size_t k = 0; to->type == INT8 && k < to->bytes; k++) {
      int8_t *value = (int8_t *)to->data + k;
      *value = *value > INT8_MAX - OFF ? INT8_MAX : *value + OFF;
    }
#endif
  }
  return OK;
}

static int prepare(Context *context, Delegate *delegate) {
#ifdef CRASH_IN_PREPARE
  crash();
#endif
#ifdef FAIL_PREPARE
  context->ReportError(context, "The graph is too large for the accelerator.");
  return ERROR;
#endif
  Integers *plan;
  if (context->GetExecutionPlan(context, &plan)) return ERROR;
  Integers *taken = malloc(sizeof(int) * (plan->size + 1));
  taken->size = 0;
  for (int i = 0; i < plan->size; i++) {
    Node *node;
    Registration *found;
    if (context->GetNodeAndRegistration(context, plan->data[i], &node, &found)) return ERROR;
    if (CLAIM(found->builtin_code)) taken->data[taken->size++] = plan->data[i];
  }
  Registration own = {.init = init, .free = end, .invoke = run, .builtin_code = DELEGATE, .custom_name = "Test", .version = 1};
  int status = context->ReplaceNodeSubsetsWithDelegateKernels(context, own, taken, delegate);
  free(taken);
  return status;
}

Delegate *tflite_plugin_create_delegate(char **keys, char **values, size_t count, void (*report)(const char *)) {
#ifdef CRASH_IN_CREATE
  crash();
#endif
#ifdef EXIT_IN_CREATE
  exit(3);
#endif
#ifdef REFUSE_WITHOUT
  if (access(REFUSE_WITHOUT, F_OK)) {
    report("No accelerator is plugged in.");
    return NULL;
  }
#endif
  Delegate *made = calloc(1, sizeof *made);
  made->Prepare = prepare;
  alive = true;
  return made;
}

void tflite_plugin_destroy_delegate(Delegate *delegate) {
#ifdef CRASH_IN_DESTROY
  crash();
#endif
  alive = false;
  free(delegate);
}
