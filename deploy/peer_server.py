"""The peer of the benchmark `serving`: LightGBM behind FastAPI, with the requests and answers of the serving node.

Environment: PEER_MODEL the combiner's text, PEER_MEMBERS names and order of the members, PEER_MEMBER_URL where they
answer, PEER_CACHE the number of rows kept by key (0 for none).
"""

import asyncio
import contextlib
import os

import aiohttp
import fastapi
import lightgbm
import numpy
import orjson

CLASSES = ["exact", "substitute", "complement", "irrelevant"]
MEMBERS = os.environ["PEER_MEMBERS"].split(",")
CAPACITY = int(os.environ["PEER_CACHE"])
booster = lightgbm.Booster(model_file=os.environ["PEER_MODEL"], params={"num_threads": 1})
kept = {}


@contextlib.asynccontextmanager
async def lifespan(app):
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=64)) as session:
        app.state.session = session
        yield


app = fastapi.FastAPI(lifespan=lifespan)


async def ask(member, rows):
    body = orjson.dumps({"inputs": [{"name": "row", "datatype": "INT64", "shape": [len(rows), 1], "data": rows}]})
    url = f"{os.environ['PEER_MEMBER_URL']}/v2/models/{member}/infer"
    async with app.state.session.post(url, data=body.replace(b'"data": [', b'"data":[')) as response:
        output = orjson.loads(await response.read())["outputs"][0]
    return numpy.array(output["data"], dtype=numpy.float32).reshape(output["shape"])


async def called(tensors, wanted):
    rows = [tensors["row"]["data"][place] for place in wanted]
    columns = await asyncio.gather(*(ask(member, rows) for member in MEMBERS))
    return booster.predict(numpy.hstack(columns).astype(numpy.float64))


async def by_key(tensors):
    keys = tensors["key"]["data"]
    probabilities = numpy.empty((len(keys), len(CLASSES)))
    missing = []
    for place, key in enumerate(keys):
        if (found := kept.get(key)) is None:
            missing.append(place)
        else:
            probabilities[place] = found
    if missing:
        probabilities[missing] = await called(tensors, missing)
        for place in missing:
            kept[keys[place]] = probabilities[place].copy()
        while len(kept) > CAPACITY:
            kept.pop(next(iter(kept)))
    return probabilities


@app.post("/v2/models/{ensemble}/infer")
async def infer(request: fastapi.Request):
    tensors = {tensor["name"]: tensor for tensor in orjson.loads(await request.body())["inputs"]}
    if "row" not in tensors:
        columns = [numpy.array(tensors[m]["data"], dtype=numpy.float32).reshape(tensors[m]["shape"]) for m in MEMBERS]
        probabilities = booster.predict(numpy.hstack(columns).astype(numpy.float64))
    elif CAPACITY and "key" in tensors:
        probabilities = await by_key(tensors)
    else:
        probabilities = await called(tensors, range(len(tensors["row"]["data"])))
    labels = [CLASSES[best] for best in probabilities.argmax(axis=1)]
    count = len(labels)
    return fastapi.Response(orjson.dumps({"model_name": "peer", "outputs": [
        {"name": "probabilities", "datatype": "FP64", "shape": [count, len(CLASSES)], "data": probabilities.ravel().tolist()},
        {"name": "label", "datatype": "BYTES", "shape": [count], "data": labels}]}), media_type="application/json")
