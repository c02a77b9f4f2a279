"""Another client than the one of the tests: boto3 goes once through what a deployment does, and prints what it was answered."""

import base64
import hashlib
import json
import sys
import uuid

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, access_key, secret = sys.argv[1:4]
keys = {"aws_access_key_id": access_key, "aws_secret_access_key": secret}


def client(service, region, **credentials):
    config = Config(retries={"max_attempts": 1, "mode": "standard"})
    return boto3.client(service, region_name=region, endpoint_url=endpoint, config=config, **(credentials or keys))


def session(sts, role, **more):
    given = sts.assume_role(RoleArn=role, RoleSessionName="boto3", **more)["Credentials"]
    return {
        "aws_access_key_id": given["AccessKeyId"],
        "aws_secret_access_key": given["SecretAccessKey"],
        "aws_session_token": given["SessionToken"],
    }


def refusal(call, **arguments):
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    return ""


said = {}
first = session(client("sts", "us-east-1"), "arn:aws:iam::123456789012:role/first", DurationSeconds=7200)
chained = client("sts", "us-east-1", **first)
second = "arn:aws:iam::123456789012:role/second"
said["too long"] = refusal(chained.assume_role, RoleArn=second, RoleSessionName="boto3", DurationSeconds=3601)
keys = session(chained, second)
said["who"] = client("sts", "eu-west-1").get_caller_identity()["Arn"]
said["not trusted"] = refusal(client("sts", "eu-west-1").assume_role, RoleArn=second, RoleSessionName="boto3")

ebs = client("ebs", "us-east-1")
started = ebs.start_snapshot(VolumeSize=1, ClientToken=str(uuid.uuid4()), Tags=[{"Key": "a", "Value": "b"}])
snapshot, size = started["SnapshotId"], started["BlockSize"]
aggregate = hashlib.sha256()
for index in (0, 7):
    data = bytes([index + 1]) * size
    digest = hashlib.sha256(data).digest()
    aggregate.update(digest)
    ebs.put_snapshot_block(
        SnapshotId=snapshot,
        BlockIndex=index,
        BlockData=data,
        DataLength=size,
        Checksum=base64.b64encode(digest).decode(),
        ChecksumAlgorithm="SHA256",
    )
said["complete"] = ebs.complete_snapshot(
    SnapshotId=snapshot,
    ChangedBlocksCount=2,
    Checksum=base64.b64encode(aggregate.digest()).decode(),
    ChecksumAlgorithm="SHA256",
    ChecksumAggregationMethod="LINEAR",
)["Status"]
blocks = ebs.list_snapshot_blocks(SnapshotId=snapshot)["Blocks"]
said["blocks"] = [block["BlockIndex"] for block in blocks]
read = ebs.get_snapshot_block(SnapshotId=snapshot, BlockIndex=7, BlockToken=blocks[1]["BlockToken"])
said["read"] = read["BlockData"].read() == bytes([8]) * size

ec2 = client("ec2", "us-east-1")
image = ec2.register_image(
    Name="boto3",
    Architecture="x86_64",
    VirtualizationType="hvm",
    EnaSupport=True,
    RootDeviceName="/dev/xvda",
    BlockDeviceMappings=[{"DeviceName": "/dev/xvda", "Ebs": {"SnapshotId": snapshot, "VolumeType": "gp3"}}],
    TagSpecifications=[{"ResourceType": "image", "Tags": [{"Key": "a", "Value": "b"}]}],
)["ImageId"]
pages = ec2.get_paginator("describe_images").paginate(Owners=["self"], Filters=[{"Name": "tag:a", "Values": ["b"]}])
said["image"] = [
    [found["State"], found["BlockDeviceMappings"][0]["Ebs"]["SnapshotId"] == snapshot, found["Tags"]]
    for page in pages
    for found in page["Images"]
]
copy = {"Name": "boto3", "SourceRegion": "us-east-1", "SourceImageId": image, "ClientToken": "once"}
other = client("ec2", "eu-west-1")
said["same copy"] = other.copy_image(**copy)["ImageId"] == other.copy_image(**copy)["ImageId"]
ec2.modify_image_attribute(ImageId=image, LaunchPermission={"Add": [{"Group": "all"}]})
permissions = ec2.describe_image_attribute(ImageId=image, Attribute="launchPermission")
said["permissions"] = permissions["LaunchPermissions"]
said["duplicate"] = refusal(
    ec2.register_image,
    Name="boto3",
    BlockDeviceMappings=[{"DeviceName": "/dev/sda1", "Ebs": {"SnapshotId": snapshot}}],
)
ssm = client("ssm", "us-east-1")
said["version"] = ssm.put_parameter(Name="/a/b", Value=image, Type="String", DataType="aws:ec2:image")["Version"]
said["pointer"] = ssm.get_parameter(Name="/a/b")["Parameter"]["Value"] == image
said["deleted"] = [
    one["ReturnCode"]
    for one in ec2.deregister_image(ImageId=image, DeleteAssociatedSnapshots=True)["DeleteSnapshotResults"]
]
json.dump(said, sys.stdout)
