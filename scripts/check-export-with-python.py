"""Opens exported models in the libraries that they are for, and compares what those compute with what is given.

    python check-export-with-python.py JOBS.json

JOBS.json is a list of {"format", "dir", "input", "logits", "image"?, "preprocess"?}. `input` and `logits` are safetensors
files with the tensors `input` [batch, channels, height, width] and `logits` [batch, classes]. `image` is an image file and
`preprocess` what is to be done with it: {"image": [height, width], "resize": [height, width], "resize_mode", "interpolation",
"mean", "std"}. Prints a list of what was found, in the order of the jobs; the test judges.

Needs torch, timm, transformers, safetensors, Pillow; onnxruntime for the format onnx.
"""
import json
import os
import sys

os.environ["HF_HUB_OFFLINE"] = "1"
os.environ["TRANSFORMERS_VERBOSITY"] = "error"
os.environ["HF_HUB_DISABLE_PROGRESS_BARS"] = "1"
import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

FILTERS = {"nearest": 0, "lanczos": 1, "bilinear": 2, "bicubic": 3}


def largest(found, expected):
    assert found.shape == expected.shape, (tuple(found.shape), tuple(expected.shape))
    return float((found - expected).abs().max())


def pixels_by_pillow(path, preprocess, half):
    """Resized by Pillow, cropped at the centre, normalised: [channels, height, width].

    `half` is the half of an odd margin: torchvision rounds it to the even number, transformers down.
    """
    picture = Image.open(path)
    wide, tall = picture.size
    to_tall, to_wide = preprocess["resize"]
    if preprocess["resize_mode"] == "shortest":
        # The longer side is rounded down where both must be covered by the same edge, as torchvision and transformers do.
        scale = max(to_tall / tall, to_wide / wide)
        to_tall, to_wide = (max(to_tall, int(tall * scale)), max(to_wide, int(wide * scale)))
    picture = picture.resize((to_wide, to_tall), FILTERS[preprocess["interpolation"]])
    values = np.asarray(picture, dtype=np.float64) / 255
    values = values[..., None] if values.ndim == 2 else values
    height, width = preprocess["image"]
    top, left = half(to_tall - height), half(to_wide - width)
    values = values[top : top + height, left : left + width]
    values = (values - np.array(preprocess["mean"])) / np.array(preprocess["std"])
    return torch.from_numpy(values.transpose(2, 0, 1)).float()


def of_timm(job, images):
    import timm

    model = timm.create_model("local-dir:" + job["dir"], pretrained=True).eval()
    stored = load_file(os.path.join(job["dir"], "model.safetensors"))
    loaded = model.state_dict()
    found = {
        "class": type(model).__name__,
        "loaded": set(stored) == set(loaded) and all(torch.equal(stored[name], loaded[name]) for name in stored),
        "logits": model(images),
    }
    if "image" in job:
        config = timm.data.resolve_model_data_config(model)
        transform = timm.data.create_transform(**config, is_training=False)
        found["pixels"] = transform(Image.open(job["image"]))
        found["half"] = lambda margin: round(margin / 2)
    return found


def of_transformers(job, images):
    import transformers

    transformers.logging.disable_progress_bar()
    open_model = transformers.AutoModelForImageClassification.from_pretrained
    model, info = open_model(job["dir"], output_loading_info=True)
    found = {
        "class": type(model).__name__,
        "loaded": not any(info.values()),
        "logits": model.eval()(images).logits,
        "labels": [model.config.id2label[i] for i in range(model.config.num_labels)],
    }
    if "image" in job:
        processor = transformers.AutoImageProcessor.from_pretrained(job["dir"])
        timms = type(processor).__name__ == "TimmWrapperImageProcessor"
        picture = Image.open(job["image"])
        if picture.mode == "L" and not timms:
            # The slow processors of transformers 4 take no greyscale images but as arrays with a channel.
            picture = np.asarray(picture)[None]
        found["processor"] = type(processor).__name__
        found["pixels"] = processor(picture, return_tensors="pt")["pixel_values"][0]
        found["half"] = (lambda margin: round(margin / 2)) if timms else (lambda margin: margin // 2)
    return found


def of_onnxruntime(job, images):
    import onnxruntime

    session = onnxruntime.InferenceSession(os.path.join(job["dir"], "model.onnx"), providers=["CPUExecutionProvider"])
    [given], [out] = session.get_inputs(), session.get_outputs()
    [logits] = session.run([out.name], {given.name: images.numpy()})
    return {"class": "onnx", "loaded": True, "logits": torch.from_numpy(logits)}


OPENERS = {"timm": [of_timm, of_transformers], "hf": [of_transformers], "onnx": [of_onnxruntime]}


def run(job):
    images = load_file(job["input"])["input"]
    expected = load_file(job["logits"])["logits"]
    results = []
    for opener in OPENERS[job["format"]]:
        try:
            found = opener(job, images)
        except Exception as error:
            results.append({"class": opener.__name__, "error": f"{type(error).__name__}: {error}"})
            continue
        found["logits"] = largest(found["logits"], expected)
        if "pixels" in found:
            found["pixels"] = largest(
                found["pixels"], pixels_by_pillow(job["image"], job["preprocess"], found.pop("half"))
            )
        results.append(found)
    return results


if __name__ == "__main__":
    with open(sys.argv[1], encoding="utf-8") as file:
        jobs = json.load(file)
    with torch.no_grad():
        print(json.dumps([run(job) for job in jobs]))
