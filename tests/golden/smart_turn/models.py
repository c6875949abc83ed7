#!/usr/bin/env python3
"""Writes the tiny ONNX models beside it, with the PyPI package `onnx`: the signature of Smart Turn v3, and two
that are not what they should be.

The judgement is sigmoid(4 x mean of the last 200 ms of features): loud ends are above 0.5, quiet ones below,
so a test can tell what was passed, and where in it the sound lies.
"""
from pathlib import Path

from onnx import TensorProto, checker, helper, save


def model(name, columns, is_probability):
    constant = lambda key, values: helper.make_tensor(key, TensorProto.INT64, [len(values)], values)
    nodes = [
        helper.make_node("Slice", ["input_features", "from", "to", "axis"], ["end"]),
        helper.make_node("ReduceMean", ["end", "both"], ["mean"], keepdims=0),
        helper.make_node("Mul", ["mean", "four"], ["scaled"]),
        helper.make_node("Unsqueeze", ["scaled", "last"], ["score"]),
        helper.make_node("Sigmoid" if is_probability else "Exp", ["score"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info("input_features", TensorProto.FLOAT, ["batch", 80, columns])],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 1])],
        [
            constant("from", [columns - 20]), constant("to", [columns]), constant("axis", [2]),
            constant("both", [1, 2]), constant("last", [1]),
            helper.make_tensor("four", TensorProto.FLOAT, [], [4.0 if is_probability else -4.0]),
        ],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], producer_name="antiphon")
    made.ir_version = 9
    checker.check_model(made)
    save(made, str(Path(__file__).parent / f"{name}.onnx"))


model("tiny", 800, True)
model("wrong_shape", 400, True)
model("no_probability", 800, False)
