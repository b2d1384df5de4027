"""Images per second of the pipeline that MoCo v3 trains from."""
