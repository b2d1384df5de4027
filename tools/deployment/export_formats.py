"""Write graphs as files that run without this package, and run them."""

import copy
import importlib.util
import io
import json
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from export_graphs import InferenceGraph
from torch import Tensor, fx, nn
from torch.export import Dim, ExportedProgram

from mmhierseg._base.errors import UserError

#: Name of the settings in a file.
META = 'settings.json'
INPUTS = ('image', 'segments')
#: Checks of what is known when a graph is traced; TorchScript lacks them.
_CHECKS = (torch.ops.aten._assert_tensor_metadata.default,
           torch.ops.aten._assert_scalar.default,
           torch.ops.aten.sym_constrain_range_for_size.default)
Run = Callable[[np.ndarray, np.ndarray], dict[str, np.ndarray]]


def export_program(graph: InferenceGraph,
                   shape: tuple[int, int]) -> ExportedProgram:
    """Trace a graph for images of one size (H, W), in batches of any size."""
    # A single image would be taken for a constant.
    image = torch.zeros(2, 3, *shape)
    segments = torch.zeros(2, *shape, dtype=torch.int64)
    batch = Dim('batch')
    # Each region without autocast would be a graph of its own; there is no
    # autocast here.
    plain = patch.object(torch, 'autocast', lambda *_, **__: nullcontext())
    with torch.no_grad(), plain:
        return torch.export.export(
            graph, (image, segments),
            dynamic_shapes={name: {0: batch} for name in INPUTS},
            strict=False)


def to_torch_export(program: ExportedProgram, meta: dict[str, Any]) -> bytes:
    """Content of a file for ``torch.export.load``."""
    content = io.BytesIO()
    torch.export.save(
        program, content, extra_files={META: json.dumps(meta)})
    return content.getvalue()


class _Loop(nn.Module):
    """The loop of farthest point sampling, which TorchScript lacks."""

    def __init__(self, step: fx.GraphModule) -> None:
        super().__init__()
        self.step = step

    def forward(self, distance: Tensor, steps: Tensor, between: Tensor,
                tolerance: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Take the steps, and stack what each gives."""
        picks, farthests = [], []
        for step in steps.unbind():
            distance, pick, farthest = self.step(distance, step, between,
                                                 tolerance)
            picks.append(pick)
            farthests.append(farthest)
        return distance, torch.stack(picks), torch.stack(farthests)


def to_torchscript(program: ExportedProgram, meta: dict[str, Any]) -> bytes:
    """Content of a file for ``torch.jit.load``.

    The exported graph is compiled, because a trace of the model would keep
    the number of images that it was made with.
    """
    module = program.module()
    output, = module.graph.find_nodes(op='output')
    output.args = (dict(zip(meta['outputs'], output.args[0])), )
    module.graph.set_codegen(fx.graph.CodeGen())
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # TorchScript is no longer developed
        script = torch.jit.script(_for_torchscript(module))
        torch.jit.save(
            torch.jit.freeze(script.eval()), content,
            _extra_files={META: json.dumps(meta)})
    return content.getvalue()


def _for_torchscript(module: fx.GraphModule) -> fx.GraphModule:
    """A graph in the words of TorchScript."""
    graph = copy.deepcopy(module.graph)  # loops are the program's own
    for node in list(graph.nodes):
        if node.op == 'call_module' or node.target in _CHECKS:
            graph.erase_node(node)
        elif node.target is torch.ops.aten._assert_async.msg:
            # TorchScript would remove it, as nothing uses its result.
            with graph.inserting_before(node):
                condition = graph.call_function(bool, node.args[:1])
            node.target, node.args = torch._assert, (condition, node.args[1])
        elif node.target is torch.ops.higher_order.scan:
            step, states, inputs, constants = node.args
            loop = _Loop(_for_torchscript(module.get_submodule(step.target)))
            module.add_submodule(node.name, loop)
            with graph.inserting_before(node):
                call = graph.call_module(node.name,
                                         (*states, *inputs, *constants))
            node.replace_all_uses_with(call)
            graph.erase_node(node)
            graph.erase_node(step)
        elif isinstance(node.target, torch._ops.OpOverload):
            # TorchScript has neither the names of overloads nor of devices.
            node.target = node.target.overloadpacket
            node.kwargs = {
                key: value for key, value in node.kwargs.items()
                if key not in ('device', 'pin_memory')
            }
    return fx.GraphModule(module, graph)


def to_onnx(program: ExportedProgram, meta: dict[str, Any]) -> bytes:
    """Content of an ONNX file; the program loses its assertions."""
    require_packages('onnx', 'onnxscript')
    # ONNX has no assertions, and not all that they compute.
    graph = program.graph_module.graph
    for node in list(graph.nodes):
        if node.target in (*_CHECKS, torch.ops.aten._assert_async.msg):
            graph.erase_node(node)
    graph.eliminate_dead_code()
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        onnx = torch.onnx.export(
            program,
            dynamo=True,
            input_names=list(INPUTS),
            output_names=meta['outputs'],
            verbose=False)
    onnx.model.metadata_props[META] = json.dumps(meta)
    for value in onnx.model.graph.outputs:
        if value.name == 'num_segments':
            # It fails if there are too many, and errors have its name.
            value.producer().name = (
                f'more segments than num_tokens = {meta["num_tokens"]}')
    return onnx.model_proto.SerializeToString()


FORMATS: dict[str, Callable[[ExportedProgram, dict], bytes]] = {
    'torch-export': to_torch_export,
    'onnx': to_onnx,
    'torchscript': to_torchscript,
}


def require_packages(*names: str) -> None:
    """Raise a UserError unless packages are installed."""
    missing = [name for name in names
               if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f'ONNX needs the packages {", ".join(missing)}: '
                        "pip install 'mmhierseg[export]'")


def load(path: str, format: str) -> Run:
    """Function that runs a file: arrays in, named arrays out."""
    if format == 'onnx':
        require_packages('onnxruntime')
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = torch.get_num_threads()
        session = onnxruntime.InferenceSession(
            path, options, providers=['CPUExecutionProvider'])
        names = [output.name for output in session.get_outputs()]
        return lambda *arrays: dict(
            zip(names, session.run(names, dict(zip(INPUTS, arrays)))))
    if format == 'torchscript':
        module = torch.jit.load(path)
    else:
        with open(path, 'rb') as file:
            module = torch.export.load(file).module()
    return lambda *arrays: run_torch(module, *arrays)


@torch.no_grad()
def run_torch(module: Callable[..., dict[str, Tensor]], image: np.ndarray,
              segments: np.ndarray) -> dict[str, np.ndarray]:
    """Run a graph in PyTorch."""
    results = module(torch.from_numpy(image), torch.from_numpy(segments))
    return {name: value.numpy() for name, value in results.items()}
